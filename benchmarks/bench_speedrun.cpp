// How long a network takes to be trained to an accuracy on MNIST: a fixed schedule on all 60,000 training
// images, its last (or averaged) weights, several seeds. Nothing is chosen by test accuracy within a run.
//   bench_speedrun --model lenet5 --epochs 3 --seeds 30 --goal 99 --device cuda
// Timed: all of fit(), from the start weights to the last weight; that records the step and, on a GPU, copies
// the data there and captures. Not timed: reading, start weights, a run of one epoch before all others,
// evaluation. One line of JSON a seed, then one of the mean.
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/recipe.h"
#include "cli/training.h"
#include "uncial/core/cuda.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/data/mnist.h"
#include "uncial/train/evaluate.h"

namespace {

using namespace uncial;
using Json = nlohmann::ordered_json;

struct Run {
  double milliseconds = 0, accuracy = 0;  // accuracy in percent
};

void finish(Device device) {
  if (!device.is_cpu()) cuda::synchronize(device);
}

Run train_once(const cli::Network& network, const cli::Recipe& recipe, const data::Splits& mnist,
               uint64_t seed, const cli::Program& program, const std::stop_token& stop) {
  const Device device = program.common().device;
  const auto net = cli::build_network(network, seed);
  net->to(device);
  train::FitOptions options = recipe.fit_options(seed);
  options.stop = stop;
  finish(device);
  const auto start = std::chrono::steady_clock::now();
  train::fit(*net, mnist.train, options);
  finish(device);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  program.throw_if_stopped();
  return {took.count(), 100 * train::accuracy(*net, mnist.test)};
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

void run(cli::Program& program) {
  std::string model = "lenet5";
  int64_t seeds = 10;
  std::optional<double> goal;
  program.text("--model", model, "The network: cnn, mlp, lenet5, tiny or a description FILE.json", "NAME");
  program.number("--seeds", seeds, {1, 1000}, "Runs, with the seeds --seed, --seed + 1, ...");
  program.number("--goal", goal, {0, 100}, "Mean accuracy to be reached, in percent (99)");
  const cli::RecipeFlags flags(program);
  program.parse();
  const cli::Recipe recipe = flags.resolve(model);
  const cli::Network network = cli::find_network(model);
  const auto mnist = data::mnist();
  const std::stop_token stop = program.stop_token();
  const uint64_t first = program.common().seed;

  cli::Recipe warm_up = recipe;
  warm_up.epochs = 1;
  train_once(network, warm_up, mnist, first, program, stop);

  const Json about = {{"kind", "speedrun"},
                      {"framework", "uncial"},
                      {"model", network.name},
                      {"recipe", recipe.json()},
                      {"device", join(program.common().device)},
                      {"threads", num_threads()},
                      {"isa", isa()}};
  std::vector<Run> runs;
  for (int64_t i = 0; i < seeds; ++i) {
    runs.push_back(train_once(network, recipe, mnist, first + uint64_t(i), program, stop));
    Json line = about;
    line.update({{"seed", first + uint64_t(i)},
                 {"milliseconds", runs.back().milliseconds},
                 {"accuracy", runs.back().accuracy}});
    program.write(line.dump() + "\n");
  }
  Json summary = about;
  summary["kind"] = "speedrun_mean";
  summary.update(mean_of(runs, goal.value_or(99)));
  program.write(summary.dump() + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_speedrun", "Times trainings to an accuracy on MNIST, several seeds", argc, argv,
                       run);
}
