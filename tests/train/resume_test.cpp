#include <cmath>
#include <thread>

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "train/small_runs.h"
#include "uncial/core/log.h"
#include "uncial/core/parallel.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr int64_t kBatches = 6;

/// Halves the rate after each epoch: its state decides every later step.
class Halving final : public optim::Schedule {
 public:
  double rate(double lr, int64_t, int64_t) const override { return std::ldexp(lr, -epochs_); }
  void on_validation(double) override { ++epochs_; }
  std::string describe() const override { return "halving"; }
  std::vector<double> state() const override { return {double(epochs_)}; }
  void load_state(const std::vector<double>& state) override { epochs_ = int(state.at(0)); }

 private:
  int epochs_ = 0;
};

/// A run with everything that has state: dropout, batch norm, augmentation, averaged weights, a schedule that
/// learns, early stopping, clipping, and a last batch that is smaller.
struct Experiment {
  explicit Experiment(std::filesystem::path where) : prefix(std::move(where)) {}

  train::FitOptions options() const {
    return {.validation = blobs(48, 2),
            .epochs = 4,
            .batch = 16,
            .augment = vision::RandomAffine({.degrees = 8, .shift = 0.05}),
            .optimizer = optim::Adam({.lr = 0.02}),
            .schedule = optim::warm_up(8, std::make_shared<Halving>()),
            .label_smoothing = 0.1,
            .average = 0.8,
            .clip_norm = 2,
            .seed = 5,
            .callbacks = {train::EarlyStopping({.patience = 3}), train::Checkpoint(prefix)},
            .drop_last = false};
  }

  /// Trains until `steps` steps are done (0: to the end), from a net with other start values for each call.
  train::History run(bool resume, int64_t steps = 0) {
    net = small_net(resume ? 99 : 1);
    std::stop_source stop;
    train::FitOptions o = options();
    o.resume = resume;
    o.record = record;
    o.stop = stop.get_token();
    o.progress = [&](const train::Progress& p) {
      if (!p.finished && steps > 0 && --steps == 0) stop.request_stop();
    };
    return train::fit(net, data, o);
  }

  std::filesystem::path prefix;
  data::Dataset data = blobs(90, 1);
  nn::Sequential net;
  bool record = true;
};

std::string newest(const TempFolder& folder) { return read_bytes(folder / "run_checkpoint.safetensors"); }

}  // namespace

TEST_CASE("A resumed run gives the bits of the uninterrupted one", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  const train::History expected = whole.run(false);
  REQUIRE(expected.epochs.size() == 4);
  CHECK(expected.stop_reason == "all epochs done");

  // After the first step, inside an epoch, at its end, at the start of the next, late.
  const int64_t steps = GENERATE(int64_t(1), 3, kBatches, kBatches + 1, 2 * kBatches + 4);
  INFO("stopped after " << steps << " steps");
  const train::History first = part.run(false, steps);
  CHECK(first.stop_reason == "stopped by request");
  CHECK(int64_t(first.epochs.size()) == steps / kBatches);
  CHECK_FALSE(std::filesystem::exists(folder / "run_final.safetensors"));

  const train::History rest = part.run(true);
  CHECK(digest_of(part.net) == digest_of(whole.net));
  CHECK(figures_of(rest) == figures_of(expected));
  CHECK(rest.stop_reason == expected.stop_reason);
  for (const char* file : {"run_best.safetensors", "run_final.safetensors"})
    CHECK(digest_of(folder / file) == digest_of(whole_folder / file));
}

TEST_CASE("A run may be interrupted again and again, eager or recorded, with other threads", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  const train::History expected = whole.run(false);
  part.run(false, 2);
  int parts = 1;
  train::History history;
  do {
    part.record = parts % 2 == 0;
    set_num_threads(1 + parts % 3);
    history = part.run(true, 5);
    ++parts;
  } while (history.stop_reason == "stopped by request");
  set_thread_pool(nullptr);
  CHECK(parts >= 5);
  CHECK(digest_of(part.net) == digest_of(whole.net));
  CHECK(figures_of(history) == figures_of(expected));
}

TEST_CASE("A stop that was asked for before the run saves the start", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  whole.run(false);
  std::stop_source stop;
  stop.request_stop();
  train::FitOptions o = part.options();
  o.stop = stop.get_token();
  nn::Sequential net = small_net();
  CHECK(train::fit(net, part.data, o).stop_reason == "stopped by request");
  CHECK(digest_of(net) == digest_of(small_net()));
  part.run(true);
  CHECK(digest_of(part.net) == digest_of(whole.net));
}

TEST_CASE("A stop during the very last step has nothing left to stop", "[train]") {
  const TempFolder folder;
  Experiment e(folder / "run");
  CHECK(e.run(false, 4 * kBatches).stop_reason == "all epochs done");
  CHECK(std::filesystem::exists(folder / "run_final.safetensors"));
}

TEST_CASE("The seconds of an interrupted epoch are those of all its parts", "[train]") {
  const TempFolder folder;
  const Experiment e(folder / "run");
  std::stop_source stop;
  train::FitOptions o = e.options();
  o.epochs = 1;
  o.stop = stop.get_token();
  o.progress = [&](const train::Progress&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    stop.request_stop();
  };
  nn::Sequential net = small_net();
  train::fit(net, e.data, o);
  o.stop = {};
  o.progress = {};
  o.resume = true;
  CHECK(train::fit(net, e.data, o).epochs.at(0).seconds >= 0.02);
}

TEST_CASE("A stop can come from another thread", "[train]") {
  const TempFolder folder;
  Experiment e(folder / "run");
  std::stop_source stop;
  train::FitOptions o = e.options();
  o.epochs = 1'000'000;
  o.callbacks = {train::Checkpoint(folder / "run")};
  o.stop = stop.get_token();
  const std::jthread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    stop.request_stop();
  });
  nn::Sequential net = small_net();
  CHECK(train::fit(net, e.data, o).stop_reason == "stopped by request");
}

TEST_CASE("Resuming a complete run returns it as it was", "[train]") {
  const TempFolder folder;
  Experiment e(folder / "run");
  const train::History before = e.run(false);
  const std::string weights = digest_of(e.net), final = digest_of(folder / "run_final.safetensors");
  const train::History again = e.run(true);
  CHECK(digest_of(e.net) == weights);
  CHECK(figures_of(again) == figures_of(before));
  CHECK(again.epochs.back().seconds == before.epochs.back().seconds);
  CHECK(again.stop_reason == before.stop_reason);
  CHECK(digest_of(folder / "run_final.safetensors") == final);
}

TEST_CASE("Resuming a run that ended early does not train on", "[train]") {
  const TempFolder folder;
  Experiment e(folder / "run");
  const auto options = [&](bool resume) {
    train::FitOptions o = e.options();
    o.callbacks = {train::EarlyStopping({.patience = 1}), train::Checkpoint(folder / "run")};
    o.optimizer = optim::Adam({.lr = 1e-12});  // nothing improves
    o.average = 0;
    o.epochs = 40;
    o.resume = resume;
    return o;
  };
  nn::Sequential net = small_net(), other = small_net(3);
  const train::History history = train::fit(net, e.data, options(false));
  REQUIRE(history.stop_reason.starts_with("early stopping"));
  const train::History again = train::fit(other, e.data, options(true));
  CHECK(again.stop_reason == history.stop_reason);
  CHECK(again.epochs.size() == history.epochs.size());
  CHECK(digest_of(other) == digest_of(net));
}

TEST_CASE("With a constant rate a resumed run may be made longer", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment e(folder / "run");
  const auto train_for = [&](const std::filesystem::path& prefix, int64_t epochs, bool resume) {
    train::FitOptions o = e.options();
    o.callbacks = {train::Checkpoint(prefix)};
    o.schedule = nullptr;
    o.epochs = epochs;
    o.resume = resume;
    nn::Sequential net = small_net();
    train::fit(net, e.data, o);
    return digest_of(net);
  };
  const std::string expected = train_for(whole_folder / "run", 4, false);
  train_for(folder / "run", 2, false);
  CHECK(train_for(folder / "run", 4, true) == expected);
}

TEST_CASE("resume without a checkpoint starts anew", "[train]") {
  const TempFolder folder, other;
  Experiment a(folder / "run"), b(other / "run");
  a.run(false);
  b.net = small_net();
  train::FitOptions o = b.options();
  o.resume = true;
  train::fit(b.net, b.data, o);
  CHECK(digest_of(a.net) == digest_of(b.net));
}

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

TEST_CASE("A damaged checkpoint: the previous one is used, with a warning", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  whole.run(false);
  part.run(false, 2 * kBatches + 2);
  const auto path = folder / "run_checkpoint.safetensors";
  const std::string good = newest(folder);
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
  CHECK(newest(folder) == "nonsense");
}
