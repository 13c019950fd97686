#include <unistd.h>

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "train/small_runs.h"
#include "uncial/io/safetensors.h"
#include "uncial/train/evaluate.h"
#include "uncial/train/model_file.h"

using namespace uncial;
using namespace uncial::test;

namespace {

train::FitOptions options_with(train::CallbackPtr callback) {
  return {.validation = blobs(48, 2),
          .epochs = 3,
          .batch = 16,
          .average = 0.5,
          .callbacks = {std::move(callback)}};
}

}  // namespace

TEST_CASE("Checkpoint writes the best and the final net", "[train]") {
  const TempFolder folder;
  nn::Sequential net = small_net();
  // The rate grows until it destroys, so that the best epoch is not the last.
  train::FitOptions options = options_with(train::Checkpoint(folder / "sub/net"));
  options.epochs = 6;
  options.optimizer = optim::SGD({.lr = 0.05});
  options.schedule = optim::step_decay({0.5}, 100);
  const train::History history = train::fit(net, blobs(96, 1), options);
  REQUIRE(history.best_epoch < 6);

  const train::LoadedModel best = train::load_model(folder / "sub/net_best.safetensors");
  const train::LoadedModel final = train::load_model(folder / "sub/net_final.safetensors");
  CHECK(digest_of(*final.net) == digest_of(net));
  CHECK(digest_of(*best.net) != digest_of(net));
  const train::EpochRecord& record = history.epochs[size_t(history.best_epoch - 1)];
  const train::Report report = train::evaluate(*best.net, *options.validation);
  CHECK(report.loss == record.validation_loss);
  CHECK(report.accuracy == record.validation_accuracy);
  CHECK(best.metadata.at("epoch") == std::to_string(history.best_epoch));
  CHECK(final.metadata.at("epoch") == "6");
  CHECK(std::stod(best.metadata.at("validation_accuracy")) == record.validation_accuracy);
}

TEST_CASE("The final file has the last weights, also when EarlyStopping puts the best ones back", "[train]") {
  const TempFolder folder;
  const bool checkpoint_first = GENERATE(true, false);
  nn::Sequential with = small_net(), without = small_net();
  train::FitOptions options = options_with(nullptr);
  options.epochs = 5;
  options.optimizer = optim::SGD({.lr = 0.05});
  options.schedule = optim::step_decay({0.4}, 100);
  options.callbacks = {};
  train::fit(without, blobs(96, 1), options);
  options.callbacks = {train::Checkpoint(folder / "net"), train::EarlyStopping({.patience = 50})};
  if (!checkpoint_first) std::swap(options.callbacks[0], options.callbacks[1]);
  train::fit(with, blobs(96, 1), options);
  CHECK(digest_of(*train::load_model(folder / "net_final.safetensors").net) == digest_of(without));
  CHECK(digest_of(*train::load_model(folder / "net_best.safetensors").net) == digest_of(with));
  CHECK(digest_of(with) != digest_of(without));
}

TEST_CASE("Checkpoint writes only what was asked for", "[train]") {
  const TempFolder folder;
  const auto files = [&](const train::CheckpointOptions& options) {
    for (const std::string& name : folder.names()) std::filesystem::remove(folder / name);
    nn::Sequential net = small_net();
    train::fit(net, blobs(48, 1), options_with(train::Checkpoint(folder / "n", options)));
    return folder.names();
  };
  using Names = std::vector<std::string>;
  CHECK(files({}) == Names{"n_best.safetensors", "n_checkpoint.prev.safetensors", "n_checkpoint.safetensors",
                           "n_final.safetensors"});
  CHECK(files({.final = false, .resumable = false}) == Names{"n_best.safetensors"});
  CHECK(files({.best = false, .resumable = false}) == Names{"n_final.safetensors"});
  CHECK(files({.best = false, .final = false}) ==
        Names{"n_checkpoint.prev.safetensors", "n_checkpoint.safetensors"});
}

TEST_CASE("Checkpoint without validation has no best file", "[train]") {
  const TempFolder folder;
  nn::Sequential net = small_net();
  train::fit(net, blobs(48, 1), {.epochs = 1, .batch = 16, .callbacks = {train::Checkpoint(folder / "n")}});
  CHECK_FALSE(std::filesystem::exists(folder / "n_best.safetensors"));
  CHECK(std::filesystem::exists(folder / "n_final.safetensors"));
}

TEST_CASE("Checkpoint finds out before training that it cannot write", "[train]") {
  const TempFolder folder;
  const auto refuses = [&](const std::filesystem::path& prefix, const auto&... parts) {
    nn::Sequential net = small_net();
    int steps = 0;
    train::FitOptions options = options_with(train::Checkpoint(prefix));
    options.progress = [&](const train::Progress&) { ++steps; };
    check_error(
        ErrorKind::io, [&] { train::fit(net, blobs(48, 1), options); }, parts...);
    CHECK(steps == 0);
  };
  write_bytes(folder / "file", "x");
  refuses(folder / "file/net", "file");
  for (const char* name : {"a_best", "a_final", "a_checkpoint", "a_checkpoint.prev"}) {
    const auto path = folder / (std::string(name) + ".safetensors");
    std::filesystem::create_directory(path);
    refuses(folder / "a", name, "in the way");
    std::filesystem::remove(path);
  }
  std::filesystem::create_symlink(folder / "elsewhere", folder / "a_best.safetensors");
  refuses(folder / "a", "in the way");
  if (::geteuid() != 0) {  // root may write everywhere
    std::filesystem::create_directory(folder / "locked");
    std::filesystem::permissions(folder / "locked", std::filesystem::perms::owner_read);
    refuses(folder / "locked/net", "locked");
  }
  check_error(
      ErrorKind::usage, [&] { train::Checkpoint("models/"); }, "must end with a name");
}

TEST_CASE("A checkpoint is a safetensors file that says what it is of", "[train]") {
  const TempFolder folder;
  nn::Sequential net = small_net();
  train::fit(net, blobs(48, 1), options_with(train::Checkpoint(folder / "n")));
  const io::TensorFile file = io::load_safetensors(folder / "n_checkpoint.safetensors");
  CHECK(file.metadata.at("format") == "uncial-checkpoint");
  CHECK(file.metadata.at("option.seed") == "0");
  CHECK(file.metadata.at("option.architecture").find("conv2d") != std::string::npos);
  CHECK(file.metadata.at("sha256").size() == 64);
  for (const char* name : {"net.0.weight", "optimizer.step", "average.step", "run.position", "run.history"})
    CHECK(file.contains(name));
}
