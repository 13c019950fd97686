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

constexpr const char *kFigure = "figures/augmentation_experiment.png",
                     *kNumbers = "figures/augmentation_experiment.json";

/// One kind and the strengths that are tried: these shares of `strongest`.
struct Kind {
  const char* name;
  double cli::AugmentStrengths::*member;
  double strongest;
  const char* unit;
  vision::Colour colour;
};
namespace palette = vision::palette;
constexpr std::array kKinds{Kind{"rotation", &cli::AugmentStrengths::degrees, 40, " deg", palette::blue},
                            Kind{"zoom", &cli::AugmentStrengths::zoom, 0.4, "", palette::orange},
                            Kind{"shift", &cli::AugmentStrengths::shift, 0.12, " of side", palette::green},
                            Kind{"shear", &cli::AugmentStrengths::shear, 40, " deg", palette::red},
                            Kind{"elastic", &cli::AugmentStrengths::elastic, 4, " px", palette::purple},
                            Kind{"noise", &cli::AugmentStrengths::noise, 0.4, " of ink", palette::sky},
                            Kind{"erase", &cli::AugmentStrengths::erase, 0.8, " prob.", palette::grey}};

vision::LineChart chart_of(const std::vector<vision::Series>& series, const std::string& title) {
  return {.title = title,
          .x_label = "strength, % of the strongest",
          .y_label = "validation accuracy, %",
          .series = series};
}

void run(cli::Program& program) {
  std::string model = "cnn";
  int64_t train_samples = 2'000, steps = 3;
  program.text("--model", model, "Network to train: cnn, mlp, lenet5, tiny or FILE.json", "MODEL");
  program.number("--train-samples", train_samples, {100, 50'000}, "Training images");
  program.number("--steps", steps, {1, 10}, "Strengths of each kind");
  const cli::RecipeFlags flags(program);
  program.parse();
  const cli::Network network = cli::find_network(model);
  cli::Recipe recipe = flags.resolve(network.name);
  const cli::Output& output = program.open_output({"figures"});
  for (const char* file : {kFigure, kNumbers}) output.claim(file);

  cli::MnistData data = cli::load_mnist(program.root(), recipe.validation, train_samples);
  const data::Dataset test =
      std::exchange(data.test, data.validation);  // the trainings are judged on data.test
  double best_accuracy = -1;
  cli::AugmentStrengths best;
  std::shared_ptr<nn::Module> best_net;
  const auto accuracy_with = [&](const cli::AugmentStrengths& strengths) {
    recipe.augment = strengths;
    const cli::TrainedNetwork trained = cli::train_network(
        program, data,
        {.network = network, .recipe = recipe, .seed = program.common().seed, .label = strengths.text()});
    const double accuracy = trained.report.accuracy;
    if (accuracy > best_accuracy) {
      best_accuracy = accuracy;
      best = strengths;
      best_net = trained.net;
    }
    program.print("{:<24} {:.2f} %\n", strengths.text(), 100 * accuracy);
    return accuracy;
  };

  const double baseline = accuracy_with({});
  std::vector<vision::Series> series;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Kind& kind : kKinds) {
    vision::Series curve{.label = fmt::format("{} (to {:g}{})", kind.name, kind.strongest, kind.unit),
                         .x = {0},
                         .y = {100 * baseline},
                         .colour = kind.colour};
    for (int64_t step = 1; step <= steps; ++step) {
      const double share = double(step) / double(steps);
      cli::AugmentStrengths strengths;
      strengths.*kind.member = share * kind.strongest;
      const double accuracy = accuracy_with(strengths);
      curve.x.push_back(100 * share);
      curve.y.push_back(100 * accuracy);
      rows.push_back({{"kind", kind.name}, {"strength", strengths.*kind.member}, {"accuracy", accuracy}});
    }
    series.push_back(std::move(curve));
  }

  const std::string title =
      fmt::format("{} on {} images, {} epochs", network.name, data.train.size(), recipe.epochs);
  output.save(kFigure, vision::chart_figure({chart_of(series, "Augmentation: " + title)}, 900, 520));
  const train::Report report = train::evaluate(*best_net, test);
  const nlohmann::ordered_json results = {{"model", network.name},
                                          {"train_samples", data.train.size()},
                                          {"recipe", recipe.json()},
                                          {"baseline_accuracy", baseline},
                                          {"runs", rows},
                                          {"best", best.text()},
                                          {"best_test", cli::to_json(report)}};
  output.save(kNumbers, results);
  program.save_results(results);
  program.print("best on the validation images: {}\n{}\n", best.text(), report.line());
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_augment", "Accuracy against kind and strength of augmentation", argc, argv,
                       run);
}
