// How long a network takes to be trained to an accuracy on MNIST: a fixed schedule, its last (or averaged)
// weights, several seeds. Nothing is chosen by test accuracy within a run.
//   bench_speedrun --schedule benchmarks/speedrun/99.json --device cuda
//   bench_speedrun --schedule candidates.json --choose 10000    never reads the test images
// Timed: train::Training::run(), from start weights to the last weight: orders of the samples and all steps.
// Not timed: reading, start weights, one run before all others, which copies the data to a GPU, records and
// captures (--choose leaves it out), evaluation. One line of JSON a seed, then one of the mean.
#include <chrono>
#include <cmath>

#include "cli/program.h"
#include "cli/training.h"
#include "speedrun_schedule.h"
#include "uncial/core/cuda.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/data/mnist.h"
#include "uncial/train/evaluate.h"

namespace {

using namespace uncial;
using bench::SpeedrunSchedule;
using Json = nlohmann::ordered_json;

struct Run {
  double milliseconds = 0, accuracy = 0;  // accuracy in percent
};

/// What is trained on, and what is judged by.
struct Parts {
  data::Dataset train, judge;
};

Parts parts_of(int64_t held_out) {
  const data::Splits mnist = data::mnist();
  if (held_out == 0) return {mnist.train, mnist.test};
  const auto [train, validation] = mnist.train.split({.validation = held_out});
  return {train, validation};
}

void finish(Device device) {
  if (!device.is_cpu()) cuda::synchronize(device);
}

/// One net on the device that is trained again and again.
class Runner {
 public:
  Runner(const SpeedrunSchedule& schedule, const data::Dataset& train, Device device)
      : schedule_(schedule),
        device_(device),
        net_(schedule.build(0)),
        training_(on_device(), taken(train), schedule.fit_options(0)) {}

  Run run(uint64_t seed, const data::Dataset& judge) {
    net_->load_state_dict(schedule_.build(seed)->state_dict());
    training_.restart(seed);
    finish(device_);
    const auto start = std::chrono::steady_clock::now();
    training_.run();
    finish(device_);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    return {took.count(), 100 * train::accuracy(*net_, judge)};
  }

 private:
  nn::Module& on_device() { return net_->to(device_); }
  data::Dataset taken(const data::Dataset& train) const {
    return schedule_.samples > 0 ? train.take(std::min(schedule_.samples, train.size())) : train;
  }

  const SpeedrunSchedule& schedule_;
  Device device_;
  std::shared_ptr<nn::Module> net_;
  train::Training training_;
};

Json mean_of(const std::vector<Run>& runs, double goal) {
  std::vector<double> times, accuracies;
  for (const Run& run : runs) {
    times.push_back(run.milliseconds);
    accuracies.push_back(run.accuracy);
  }
  const cli::Spread time = cli::spread(times), accuracy = cli::spread(accuracies);
  return {{"seeds", runs.size()},
          {"milliseconds", time.mean},
          {"milliseconds_deviation", time.deviation},
          {"accuracy", accuracy.mean},
          {"accuracy_deviation", accuracy.deviation},
          {"lowest_accuracy", *std::min_element(accuracies.begin(), accuracies.end())},
          {"goal", goal},
          {"reached", accuracy.mean >= goal}};
}

/// All seeds of a schedule; one that diverges ends it.
void run_schedule(const SpeedrunSchedule& schedule, const Parts& parts, int64_t seeds, bool warm_up,
                  Json about, const cli::Program& program) {
  const uint64_t first = program.common().seed;
  about["schedule"] = schedule.name;
  Runner runner(schedule, parts.train, program.common().device);
  std::vector<Run> runs;
  try {
    if (warm_up) runner.run(first, parts.judge);
    for (uint64_t seed = first; seed < first + uint64_t(seeds); ++seed) {
      program.throw_if_stopped();
      runs.push_back(runner.run(seed, parts.judge));
      Json line = about;
      line.update(
          {{"seed", seed}, {"milliseconds", runs.back().milliseconds}, {"accuracy", runs.back().accuracy}});
      program.write(line.dump() + "\n");
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::diverged) throw;
    about["diverged"] = error.what();
    program.write(about.dump() + "\n");
    return;
  }
  about["kind"] = "speedrun_mean";
  about["settings"] = schedule.json;
  about.update(mean_of(runs, schedule.goal));
  program.write(about.dump() + "\n");
}

void run(cli::Program& program) {
  std::string file;
  std::optional<int64_t> seeds, held_out;
  program.text("--schedule", file, "What is trained and how: one schedule, or a list of them", "FILE.json");
  program.number("--seeds", seeds, {1, 1000}, "Runs, with the seeds --seed, --seed + 1, ... (the file's)");
  program.number("--choose", held_out, {10, 59'000},
                 "Judge by so many training images set aside; the test images are not read");
  program.parse();
  if (file.empty())
    fail(ErrorKind::usage, "--schedule: got nothing, expected a file, such as benchmarks/speedrun/99.json.");
  const auto schedules = bench::read_speedrun_schedules(file);
  const Parts parts = parts_of(held_out.value_or(0));
  program.stop_token();  // Ctrl-C is looked at between runs

  const Json about = {{"kind", "speedrun"},
                      {"framework", "uncial"},
                      {"schedule", ""},
                      {"judged_by", held_out ? "validation" : "test"},
                      {"device", join(program.common().device)},
                      {"threads", num_threads()},
                      {"isa", isa()}};
  for (const SpeedrunSchedule& schedule : schedules)
    run_schedule(schedule, parts, seeds.value_or(schedule.seeds), !held_out, about, program);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_speedrun", "Times trainings to an accuracy on MNIST, several seeds", argc, argv,
                       run);
}
