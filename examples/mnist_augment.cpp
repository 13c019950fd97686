// The augmentation experiment: many short trainings on few images, each with one kind of augmentation at one
// strength. Few images, because that is where augmentation tells most. Judged on the validation images; the
// test images see only the winner.
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/training.h"
#include "uncial/vision/charts.h"

namespace {

using namespace uncial;

constexpr const char *kFigure = "augmentation_experiment", *kNumbers = "figures/augmentation_experiment.json",
                     *kCheckpoints = "models/mnist_augment";

/// One kind and the strengths that are tried: these shares of `strongest`.
struct Kind {
  const char* name;
  double cli::AugmentStrengths::*member;
  double strongest;
  const char* unit;
  vision::Colour colour;
};
namespace palette = vision::palette;
constexpr std::array kKinds{
    Kind{"rotation", &cli::AugmentStrengths::degrees, 40, "°", palette::blue},
    Kind{"zoom", &cli::AugmentStrengths::zoom, 0.4, "", palette::orange},
    Kind{"shift", &cli::AugmentStrengths::shift, 0.12, " of the side", palette::green},
    Kind{"shear", &cli::AugmentStrengths::shear, 40, "°", palette::red},
    Kind{"elastic", &cli::AugmentStrengths::elastic, 4, " pixels", palette::purple},
    Kind{"noise", &cli::AugmentStrengths::noise, 0.4, " of ink", palette::sky},
    Kind{"erase", &cli::AugmentStrengths::erase, 0.8, " of images", palette::grey}};
constexpr std::array kMarkers{vision::Marker::disc, vision::Marker::square, vision::Marker::ring,
                              vision::Marker::frame};

/// One training: a kind at a strength, or the baseline without any.
struct Trial {
  const Kind* kind = nullptr;
  double share = 0;  // of the strongest
  double accuracy = 0;

  double strength() const { return kind ? share * kind->strongest : 0; }
  cli::AugmentStrengths strengths() const {
    cli::AugmentStrengths all;
    if (kind) all.*kind->member = strength();
    return all;
  }
};

/// The baseline, then every kind at `steps` strengths.
std::vector<Trial> all_trials(int64_t steps) {
  std::vector<Trial> trials(1);
  for (const Kind& kind : kKinds)
    for (int64_t step = 1; step <= steps; ++step)
      trials.push_back({.kind = &kind, .share = double(step) / double(steps)});
  return trials;
}

std::vector<cli::TrainingJob> jobs_of(const std::vector<Trial>& trials, const cli::Program& program,
                                      const cli::Network& network, const cli::Recipe& recipe, bool resume) {
  std::vector<cli::TrainingJob> jobs;
  for (const Trial& trial : trials) {
    const std::string text = trial.strengths().text();
    jobs.push_back({.network = network,
                    .recipe = recipe,
                    .seed = program.common().seed,
                    .label = text,
                    .prefix = program.root() / kCheckpoints / (network.name + "_" + text),
                    .model_files = false,
                    .resume = resume});
    jobs.back().recipe.augment = trial.strengths();
  }
  return jobs;
}

/// A curve for each kind, all starting from the baseline.
std::vector<vision::Series> curves_of(const std::vector<Trial>& trials) {
  std::vector<vision::Series> series;
  for (const Kind& kind : kKinds) {
    vision::Series curve{.label = fmt::format("{} (up to {:g}{})", kind.name, kind.strongest, kind.unit),
                         .colour = kind.colour,
                         .dashed = series.size() >= kMarkers.size(),
                         .marker = kMarkers[series.size() % kMarkers.size()]};
    for (const Trial& trial : trials) {
      if (trial.kind && trial.kind != &kind) continue;
      curve.x.push_back(100 * trial.share);
      curve.y.push_back(100 * trial.accuracy);
    }
    series.push_back(std::move(curve));
  }
  return series;
}

vision::LineChart chart_of(const std::vector<Trial>& trials, const std::string& title) {
  return {.title = title,
          .x_label = "strength, % of the strongest",
          .y_label = "validation accuracy, %",
          .series = curves_of(trials)};
}

nlohmann::ordered_json to_json(const std::vector<Trial>& trials) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Trial& trial : trials)
    if (trial.kind)
      rows.push_back(
          {{"kind", trial.kind->name}, {"strength", trial.strength()}, {"accuracy", trial.accuracy}});
  return rows;
}

void run(cli::Program& program) {
  std::string model = "cnn";
  int64_t train_samples = 2'000, steps = 3;
  bool resume = false;
  program.text("--model", model, "Network to train: cnn, mlp, lenet5, tiny or FILE.json", "MODEL");
  program.number("--train-samples", train_samples, {100, 50'000}, "Training images");
  program.number("--steps", steps, {1, 10}, "Strengths of each kind");
  program.flag("--resume", resume, "Go on where an earlier experiment was stopped, if there is one");
  const cli::RecipeFlags flags(program);
  program.parse();
  flags.refuse_augment("each training here has a kind and strength of its own. Leave it out.");
  const cli::Network network = cli::find_network(model);
  cli::Recipe recipe = flags.resolve(network.name);
  recipe.augment = {};  // each trial has its own
  std::vector<Trial> trials = all_trials(steps);
  const std::vector<cli::TrainingJob> jobs = jobs_of(trials, program, network, recipe, resume);
  cli::Output& output = program.open_output({"figures", kCheckpoints});
  output.claim_figure(kFigure);
  output.claim(kNumbers);
  for (const cli::TrainingJob& job : jobs)
    for (const auto& file : cli::checkpoint_files(job.prefix))
      cli::claim_file(file, program.common().overwrite);

  cli::MnistData data = cli::load_mnist(program.root(), recipe.validation, train_samples);
  const data::Dataset test =
      std::exchange(data.test, data.validation);  // the trainings are judged on data.test
  const Trial* best = nullptr;
  std::shared_ptr<nn::Module> best_net;
  cli::train_all(program, data, jobs, [&](size_t i, const cli::TrainedNetwork& trained) {
    trials[i].accuracy = trained.report.accuracy;
    program.print("{:<24} {:.2f} %\n", jobs[i].label, 100 * trials[i].accuracy);
    if (best && best->accuracy >= trials[i].accuracy) return;
    best = &trials[i];
    best_net = trained.net;
  });

  const std::string title =
      fmt::format("{} on {} images, {} epochs", network.name, data.train.size(), recipe.epochs);
  output.save_figure(kFigure, vision::chart_figure({chart_of(trials, "Augmentation: " + title)}, 900, 520));
  const train::Report report = train::evaluate(*best_net, test, {.precision = recipe.precision});
  const nlohmann::ordered_json results = {{"model", network.name},
                                          {"train_samples", data.train.size()},
                                          {"recipe", recipe.json()},
                                          {"baseline_accuracy", trials[0].accuracy},
                                          {"runs", to_json(trials)},
                                          {"best", best->strengths().text()},
                                          {"best_test", cli::to_json(report)}};
  output.save(kNumbers, results);
  program.save_results(results);
  program.print("best on the validation images: {}\n{}\n", best->strengths().text(), report.line());
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_augment", "Accuracy against kind and strength of augmentation", argc, argv,
                       run);
}
