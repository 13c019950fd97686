#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "train/experiment.h"
#include "train/state.h"
#include "uncial/core/log.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("A checkpoint of another run is refused, with all differences", "[train]") {
  const TempFolder folder;
  Experiment e(folder / "run");
  e.run(false, 3);
  const std::string before = digest_of(folder / "run_checkpoint.safetensors");
  const auto refuses = [&](const auto& change, const auto&... parts) {
    train::FitOptions o = e.options();
    o.resume = true;
    nn::Sequential net = small_net();
    data::Dataset data = e.data;
    change(o, net, data);
    const std::string start = digest_of(net);
    check_error(
        ErrorKind::data, [&] { train::fit(net, data, o); }, "cannot resume, the checkpoint is of another run",
        parts...);
    CHECK(digest_of(net) == start);
    CHECK(digest_of(folder / "run_checkpoint.safetensors") == before);
  };
  refuses([](auto& o, auto&, auto&) { o.seed = 6; }, "seed: the checkpoint has 5, this run 6");
  refuses([](auto& o, auto&, auto&) { o.batch = 8; }, "batch: the checkpoint has 16, this run 8");
  refuses([](auto& o, auto&, auto&) { o.optimizer = optim::SGD({.lr = 0.02}); }, "optimizer: ", "adam",
          "sgd");
  refuses([](auto& o, auto&, auto&) { o.optimizer = optim::Adam({.lr = 0.03}); }, "optimizer: ", "0.03");
  refuses([](auto& o, auto&, auto&) { o.schedule = nullptr; }, "schedule: ", "this run constant");
  refuses([](auto& o, auto&, auto&) { o.epochs = 9; }, "epochs: the checkpoint has 4, this run 9");
  refuses([](auto& o, auto&, auto&) { o.augment = nullptr; }, "augment: ", "this run none");
  refuses([](auto& o, auto&, auto&) { o.average = 0; }, "average: ");
  refuses([](auto& o, auto&, auto&) { o.clip_norm = 0; }, "clip_norm: ");
  refuses([](auto& o, auto&, auto&) { o.label_smoothing = 0; }, "label_smoothing: ");
  refuses([](auto& o, auto&, auto&) { o.precision = Precision::bf16; },
          "precision: the checkpoint has float32, this run bf16");
  refuses([](auto& o, auto&, auto&) { o.precision = Precision::fp16; },
          "precision: the checkpoint has float32, this run fp16",
          "loss_scale: the checkpoint has nothing, this run start 16777216, interval 4");
  refuses([](auto& o, auto&, auto&) { o.drop_last = true; }, "drop_last: ");
  refuses([](auto& o, auto&, auto&) { o.validation = blobs(48, 3); }, "validation data: ");
  refuses([](auto&, auto&, auto& data) { data = blobs(90, 4); }, "data: the checkpoint has ");
  refuses([](auto& o, auto&, auto&) { o.callbacks = {o.callbacks[1]}; },
          "callbacks: ", "this run checkpoint");
  refuses([](auto&, auto& net, auto&) { net = nn::Sequential(nn::Flatten(), nn::Dense(64, 4)); },
          "architecture: ", "tensors: ");
  refuses(
      [](auto& o, auto& net, auto& data) {
        net = nn::Sequential(nn::Flatten(), nn::Dense(64, 4));
        data = blobs(88, 4);
        o.seed = 6;
      },
      "architecture: ", "data: ", "seed: ");
}

TEST_CASE("A checkpoint that names no precision is one in float32", "[train]") {
  const std::map<std::string, std::string> saved = {{"option.batch", "16"}};
  const auto resume = [&](const char* precision) {
    train::require_same_run(saved, {{"option.batch", "16"}, {"option.precision", precision}});
  };
  resume("float32");
  check_error(
      ErrorKind::data, [&] { resume("bf16"); }, "precision: the checkpoint has float32, this run bf16");
}

TEST_CASE("A damaged checkpoint: the previous one is used, with a warning", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  whole.run(false);
  part.run(false, 2 * kBatches + 2);
  const auto path = folder / "run_checkpoint.safetensors";
  const std::string good = read_bytes(folder / "run_checkpoint.safetensors");
  std::string expected_reason;
  SECTION("a bit of a weight is flipped") {
    std::string bad = good;
    bad[bad.size() - 100] = char(bad[bad.size() - 100] ^ 1);
    write_bytes(path, bad);
    expected_reason = "sha256";
  }
  SECTION("a text is changed") {
    std::string bad = good;
    const size_t place = bad.find("\"option.seed\":\"5\"");
    REQUIRE(place != std::string::npos);
    bad[place + 15] = '6';
    write_bytes(path, bad);
    expected_reason = "sha256";
  }
  SECTION("cut off") {
    write_bytes(path, good.substr(0, good.size() / 2));
    expected_reason = "run_checkpoint.safetensors";
  }
  SECTION("empty") {
    write_bytes(path, "");
    expected_reason = "run_checkpoint.safetensors";
  }
  SECTION("gone") {
    std::filesystem::remove(path);
    expected_reason = "it is missing";
  }
  std::vector<std::string> warnings;
  set_log_sink([&](LogLevel level, std::string_view text) {
    if (level == LogLevel::warning) warnings.emplace_back(text);
  });
  part.run(true,
           1);  // a new checkpoint now stands where the damaged one was; the good previous one is still there
  set_log_sink({});
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("run_checkpoint.prev.safetensors") != std::string::npos);
  CHECK(warnings[0].find(expected_reason) != std::string::npos);
  part.run(true);
  CHECK(digest_of(part.net) == digest_of(whole.net));
}

TEST_CASE("Both checkpoints damaged: the run is refused and nothing is overwritten", "[train]") {
  const TempFolder folder;
  Experiment e(folder / "run");
  e.run(false, kBatches + 2);
  write_bytes(folder / "run_checkpoint.safetensors", "nonsense");
  write_bytes(folder / "run_checkpoint.prev.safetensors", "nonsense");
  check_error(
      ErrorKind::data, [&] { e.run(true); }, "run_checkpoint");
  CHECK(read_bytes(folder / "run_checkpoint.safetensors") == "nonsense");
}
