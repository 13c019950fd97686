// Trains a network on MNIST with augmentation and early stopping, and pictures how it went.
//   mnist_train                          the default convolutional network
//   mnist_train --model mlp --epochs 5   another network, fewer epochs
//   mnist_train --resume                 goes on where Ctrl-C stopped it
//   mnist_train --serve 127.0.0.1:8080   shows it in a browser while it goes, and a page to draw digits on
#include <nlohmann/json.hpp>

#include "cli/figures.h"
#include "cli/output.h"
#include "cli/profile_flag.h"
#include "cli/program.h"
#include "cli/serve_flag.h"
#include "cli/training.h"
#include "cli/training_page.h"
#include "uncial/io/atomic_file.h"
#include "uncial/nn/summary.h"
#include "uncial/vision/charts.h"

namespace {

using namespace uncial;

struct Flags {
  std::string model = "cnn";
  int64_t seeds = 1, train_samples = 0;
  bool resume = false, check_finite = false;
};

/// Every file this run will write, claimed before it starts.
void claim_results(const cli::Output& output, const std::string& network,
                   const std::vector<uint64_t>& seeds) {
  for (const char* figure : {"training_history", "confusion_matrix", "prediction_samples"})
    output.claim_figure(figure);
  for (const uint64_t seed : seeds)
    for (const auto& file : cli::model_files(cli::model_prefix(network, seed, seed == seeds[0])))
      output.claim(file);
  output.claim("models/mnist_" + network + "_results.json");
  output.claim("models/mnist_" + network + "_history.csv");
}

void save_pictures(cli::Output& output, const cli::TrainedNetwork& trained, const cli::TrainingJob& job,
                   const data::Dataset& test) {
  const std::string& network = job.network.name;
  const train::Report& report = trained.report;
  if (!trained.history.epochs.empty())
    output.save_figure("training_history",
                       cli::history_figure(trained.history, network,
                                           {.augmented = job.recipe.augment.make() != nullptr,
                                            .smoothed_labels = job.recipe.label_smoothing > 0}));
  output.save_figure("confusion_matrix",
                     vision::confusion_figure(report.confusion, test.classes(),
                                              fmt::format("{} on {} test images: {} errors", network,
                                                          report.samples, report.errors)));
  output.save_figure("prediction_samples", cli::prediction_figure(report, test));
}

nlohmann::ordered_json results_of(const std::vector<cli::TrainedNetwork>& runs,
                                  const std::vector<uint64_t>& seeds) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (size_t i = 0; i < runs.size(); ++i)
    list.push_back({{"seed", seeds[i]},
                    {"training_seconds", runs[i].seconds},
                    {"test", cli::to_json(runs[i].report)},
                    {"history", cli::to_json(runs[i].history)}});
  return list;
}

void run(cli::Program& program) {
  Flags flags;
  program.text("--model", flags.model, "cnn, mlp, lenet5, tiny, or FILE.json with a network", "MODEL");
  const cli::RecipeFlags recipe_flags(program, "default", 0);
  program.number("--seeds", flags.seeds, {1, 1000},
                 "Train so many times, with seeds --seed, --seed + 1, ...");
  program.number("--train-samples", flags.train_samples, {0, 60'000},
                 "Use only so many training images; 0: all");
  program.flag("--resume", flags.resume, "Go on from the newest whole checkpoint, if there is one");
  program.flag("--check-finite", flags.check_finite, "Look at every weight after every step");
  cli::ProfileFlag profile(program);
  cli::ServeFlag serve(program);
  program.parse();
  const std::optional<cli::ServeAddress> address = serve.address();

  const cli::Network network = cli::find_network(flags.model);
  const cli::Recipe recipe = recipe_flags.resolve(network.name);
  const auto net = cli::build_network(network, program.common().seed);
  cli::Output& output = program.open_output({"models", "figures"});
  std::vector<uint64_t> seeds;
  for (int64_t i = 0; i < flags.seeds; ++i) seeds.push_back(program.common().seed + uint64_t(i));
  claim_results(output, network.name, seeds);
  profile.start();
  const cli::MnistData data = cli::load_mnist(program.root(), recipe.validation, flags.train_samples);
  std::optional<cli::TrainingPage> page;
  if (address) page.emplace(program, *address, network, *net, data, recipe, seeds[0]);

  const nn::Summary summary = nn::summary(*net, {1, 1, 28, 28});
  program.note(
      fmt::format("{}: {} parameters, {} multiply-adds an image; {} training, {} validation images\n"
                  "augmentation: {}; precision: {}",
                  network.name, summary.parameters, summary.multiply_adds, data.train.size(),
                  data.validation.size(), recipe.augment.text(), name_of(recipe.precision)));
  std::vector<cli::TrainedNetwork> runs;
  std::vector<double> accuracies;
  std::vector<cli::TrainingJob> jobs;
  for (const uint64_t seed : seeds)
    jobs.push_back({.network = network,
                    .recipe = recipe,
                    .seed = seed,
                    .label = seeds.size() > 1 ? fmt::format("seed {}", seed) : "",
                    .prefix = program.root() / cli::model_prefix(network.name, seed, seed == seeds[0]),
                    .resume = flags.resume,
                    .check_finite = flags.check_finite,
                    .watcher = page ? &page->watcher() : nullptr});
  cli::train_all(program, data, jobs, [&](size_t i, cli::TrainedNetwork trained) {
    if (page) page->show(trained);
    accuracies.push_back(trained.report.accuracy);
    if (seeds.size() > 1) program.print("seed {}: {}\n", seeds[i], trained.report.line());
    runs.push_back(std::move(trained));
  });
  profile.finish();
  if (page) page->done();

  save_pictures(output, runs[0], jobs[0], data.test);
  if (!runs[0].history.epochs.empty())
    output.save_text("models/mnist_" + network.name + "_history.csv", runs[0].history.csv());
  const cli::Spread accuracy = cli::spread(accuracies);
  nlohmann::ordered_json results = {{"model", network.name},
                                    {"parameters", summary.parameters},
                                    {"multiply_adds", summary.multiply_adds},
                                    {"train_samples", data.train.size()},
                                    {"recipe", recipe.json()},
                                    {"mean_accuracy", accuracy.mean},
                                    {"accuracy_deviation", accuracy.deviation},
                                    {"runs", results_of(runs, seeds)}};
  if (recipe.epochs > 0) output.save("models/mnist_" + network.name + "_results.json", results);
  program.save_results(results);
  program.note(fmt::format("trained in {:.0f} s: {}; pictures and models are under {}", runs[0].seconds,
                           runs[0].history.stop_reason, io::printable(program.root().native())));
  if (seeds.size() > 1)
    program.print("mean accuracy of {} seeds {:.3f} % +- {:.3f}\n", seeds.size(), 100 * accuracy.mean,
                  100 * accuracy.deviation);
  program.print("{}\n", runs[0].report.line());  // of the model that is called _final
  if (page) page->stay();
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_train", "Trains a network on MNIST", argc, argv, run);
}
