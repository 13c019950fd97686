// How long a network takes to be trained to an accuracy on MNIST: a fixed schedule, its last (or averaged)
// weights, several seeds. Nothing is chosen by test accuracy within a run.
//   bench_speedrun --schedule benchmarks/speedrun/99.json --device cuda
//   bench_speedrun --schedule candidates.json --choose 10000    never reads the test images
// Timed: all of fit(), from the start weights to the last weight; that records the step and, on a GPU, copies
// the data there and captures. Not timed: reading, start weights, a run of one epoch before all others,
// evaluation. One line of JSON a seed, then one of the mean.
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

Run train_once(const SpeedrunSchedule& schedule, const Parts& parts, uint64_t seed,
               const cli::Program& program, const std::stop_token& stop) {
  const Device device = program.common().device;
  const auto net = schedule.build(seed);
  net->to(device);
  train::FitOptions options = schedule.fit_options(seed);
  options.stop = stop;
  const data::Dataset train =
      schedule.samples > 0 ? parts.train.take(std::min(schedule.samples, parts.train.size())) : parts.train;
  finish(device);
  const auto start = std::chrono::steady_clock::now();
  train::fit(*net, train, options);
  finish(device);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  program.throw_if_stopped();
  return {took.count(), 100 * train::accuracy(*net, parts.judge)};
}

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
void run_schedule(const SpeedrunSchedule& schedule, const Parts& parts, int64_t seeds, Json about,
                  const cli::Program& program, const std::stop_token& stop) {
  const uint64_t first = program.common().seed;
  about["schedule"] = schedule.name;
  std::vector<Run> runs;
  for (int64_t i = 0; i < seeds; ++i) {
    Json line = about;
    line["seed"] = first + uint64_t(i);
    try {
      runs.push_back(train_once(schedule, parts, first + uint64_t(i), program, stop));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::diverged) throw;
      line["diverged"] = error.what();
      program.write(line.dump() + "\n");
      return;
    }
    line["milliseconds"] = runs.back().milliseconds;
    line["accuracy"] = runs.back().accuracy;
    program.write(line.dump() + "\n");
  }
  Json summary = about;
  summary["kind"] = "speedrun_mean";
  summary["settings"] = schedule.json;
  summary.update(mean_of(runs, schedule.goal));
  program.write(summary.dump() + "\n");
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
  const std::stop_token stop = program.stop_token();

  const Json about = {{"kind", "speedrun"},
                      {"framework", "uncial"},
                      {"schedule", ""},
                      {"judged_by", held_out ? "validation" : "test"},
                      {"device", join(program.common().device)},
                      {"threads", num_threads()},
                      {"isa", isa()}};
  for (const SpeedrunSchedule& schedule : schedules)
    run_schedule(schedule, parts, seeds.value_or(schedule.seeds), about, program, stop);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_speedrun", "Times trainings to an accuracy on MNIST, several seeds", argc, argv,
                       run);
}
