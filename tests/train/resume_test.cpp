#include <thread>

#include "support/catch.h"
#include "support/temp_folder.h"
#include "train/experiment.h"
#include "uncial/core/parallel.h"

using namespace uncial;
using namespace uncial::test;

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

TEST_CASE("A run may be interrupted again and again, with other threads", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  const train::History expected = whole.run(false);
  part.run(false, 2);
  int parts = 1;
  train::History history;
  do {
    set_num_threads(1 + parts % 3);
    history = part.run(true, 5);
    ++parts;
  } while (history.stop_reason == "stopped by request" && parts < 20);
  set_thread_pool(nullptr);
  CHECK(parts >= 5);
  CHECK(digest_of(part.net) == digest_of(whole.net));
  CHECK(figures_of(history) == figures_of(expected));
}

TEST_CASE("A resumed run in float16 goes on with its loss scale", "[train]") {
  const TempFolder whole_folder, folder;
  Experiment whole(whole_folder / "run"), part(folder / "run");
  whole.precision = part.precision = Precision::fp16;
  const train::History expected = whole.run(false);
  // While the scale still falls, and when it has risen again.
  const int64_t steps = GENERATE(int64_t(3), 2 * kBatches + 4);
  INFO("stopped after " << steps << " steps");
  part.run(false, steps);
  const train::History rest = part.run(true);
  CHECK(digest_of(part.net) == digest_of(whole.net));
  CHECK(figures_of(rest) == figures_of(expected));
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
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    stop.request_stop();
  };
  nn::Sequential net = small_net();
  train::fit(net, e.data, o);
  o.stop = {};
  o.progress = {};
  o.resume = true;
  CHECK(train::fit(net, e.data, o).epochs.at(0).seconds >= 0.25);
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
