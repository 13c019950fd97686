// A convolutional network against a perceptron: same data, same number of epochs, several seeds.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/figures.h"
#include "cli/output.h"
#include "cli/profile_flag.h"
#include "cli/program.h"
#include "cli/training.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/cuda.h"
#include "uncial/nn/summary.h"
#include "uncial/program/compile.h"
#include "uncial/vision/charts.h"

namespace {

using namespace uncial;

constexpr const char *kFigure = "model_comparison", *kNumbers = "figures/model_comparison.json",
                     *kCheckpoints = "models/mnist_compare";

/// What is compared of one network.
struct Contestant {
  cli::Network network;
  cli::Recipe recipe;
  nn::Summary cost;                         // of one image
  std::vector<double> accuracies, seconds;  // one a seed
  train::Report report;                     // of the first seed
  std::vector<bool> wrong;                  // by test image, for the first seed
  double latency_ms = 0;                    // of a single image
};

/// Which test images a net gets wrong.
std::vector<bool> wrong_answers(const train::Report& report, const data::Dataset& test) {
  std::vector<bool> wrong;
  const int64_t classes = report.probabilities.size(1);
  for (int64_t i = 0; i < test.size(); ++i) {
    const float* p = report.probabilities.data<float>() + i * classes;
    wrong.push_back(std::max_element(p, p + classes) - p != test.label(i));
  }
  return wrong;
}

/// Median time of 200 single images, after 20 to warm up, as a program that predicts again and again would
/// do it: recorded once. train::predict() records at every call.
double latency_ms(const nn::Module& net, const data::Dataset& test, Precision precision) {
  const Tensor image = test.range(0, 1).first.to(net.device());
  nn::Context context(nn::Mode::eval);
  context.set_precision(precision);
  Compiled logits = compile([&](const Tensors& in) {
    const NoGrad no_grad;
    return Tensors{net.forward(in[0], context)};
  });
  std::vector<double> times;
  for (int i = 0; i < 220; ++i) {
    const auto start = std::chrono::steady_clock::now();
    logits({image});
    if (!net.device().is_cpu()) cuda::synchronize(net.device());
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    if (i >= 20) times.push_back(elapsed.count());
  }
  std::nth_element(times.begin(), times.begin() + 100, times.end());
  return times[100];
}

/// All seeds of the first network, then all of the second. A network may be compared with itself, so files
/// are told apart by its place, too.
std::vector<cli::TrainingJob> jobs_of(const std::vector<Contestant>& both, const cli::Program& program,
                                      int64_t seeds, bool resume) {
  std::vector<cli::TrainingJob> jobs;
  for (size_t place = 0; place < both.size(); ++place)
    for (int64_t i = 0; i < seeds; ++i) {
      const uint64_t seed = program.common().seed + uint64_t(i);
      const std::string& name = both[place].network.name;
      jobs.push_back(
          {.network = both[place].network,
           .recipe = both[place].recipe,
           .seed = seed,
           .label = fmt::format("{}, seed {}", name, seed),
           .prefix = program.root() / kCheckpoints / fmt::format("{}_{}_seed{}", place + 1, name, seed),
           .model_files = false,
           .resume = resume});
    }
  return jobs;
}

void add_result(Contestant& contestant, const cli::TrainedNetwork& trained, const data::Dataset& test) {
  contestant.accuracies.push_back(trained.report.accuracy);
  contestant.seconds.push_back(trained.seconds);
  if (contestant.accuracies.size() > 1) return;
  contestant.report = trained.report;
  contestant.wrong = wrong_answers(trained.report, test);
  contestant.latency_ms = latency_ms(*trained.net, test, contestant.recipe.precision);
}

/// One line of the table: what, and a text for each network.
struct Row {
  std::string what, first, second;
};

/// Test images by who gets them wrong.
struct Errors {
  int64_t only_a = 0, only_b = 0, both = 0;
  Errors(const Contestant& a, const Contestant& b) {
    for (size_t i = 0; i < a.wrong.size(); ++i) {
      only_a += a.wrong[i] && !b.wrong[i];
      only_b += b.wrong[i] && !a.wrong[i];
      both += a.wrong[i] && b.wrong[i];
    }
  }
};

std::vector<Row> table_of(const Contestant& a, const Contestant& b) {
  const Errors errors(a, b);
  const auto accuracy = [](const Contestant& c) {
    const cli::Spread s = cli::spread(c.accuracies);
    return fmt::format("{:.2f} +- {:.2f}", 100 * s.mean, 100 * s.deviation);
  };
  const auto time = [](const Contestant& c) { return fmt::format("{:.1f}", cli::spread(c.seconds).mean); };
  return {
      {"test accuracy, %", accuracy(a), accuracy(b)},
      {"parameters", std::to_string(a.cost.parameters), std::to_string(b.cost.parameters)},
      {"multiply-adds an image", std::to_string(a.cost.multiply_adds), std::to_string(b.cost.multiply_adds)},
      {"training time, s", time(a), time(b)},
      {"latency of one image, ms", fmt::format("{:.3f}", a.latency_ms), fmt::format("{:.3f}", b.latency_ms)},
      {"errors of this one alone", std::to_string(errors.only_a), std::to_string(errors.only_b)},
      {"errors that both make", std::to_string(errors.both), std::to_string(errors.both)}};
}

constexpr vision::Colour kFirst = vision::palette::blue, kSecond = vision::palette::orange;

/// A number of each network, as `format` writes it.
vision::BarChart bars(const Contestant& a, const Contestant& b, const std::string& title,
                      const std::string& unit, double va, double vb, const char* format) {
  return {.title = title,
          .y_label = unit,
          .labels = {a.network.name, b.network.name},
          .values = {va, vb},
          .colours = {kFirst, kSecond},
          .value_texts = {fmt::format(fmt::runtime(format), va), fmt::format(fmt::runtime(format), vb)}};
}

vision::SpreadChart accuracy_chart(const Contestant& a, const Contestant& b) {
  const size_t seeds = a.accuracies.size();
  vision::SpreadChart chart{.title = fmt::format("Test accuracy, {} seed{}", seeds, seeds == 1 ? "" : "s"),
                            .y_label = "%",
                            .labels = {a.network.name, b.network.name},
                            .colours = {kFirst, kSecond}};
  for (const Contestant* c : {&a, &b}) {
    const cli::Spread s = cli::spread(c->accuracies);
    chart.value_texts.push_back(seeds == 1 ? fmt::format("{:.2f}", 100 * s.mean)
                                           : fmt::format("{:.2f} ± {:.2f}", 100 * s.mean, 100 * s.deviation));
    auto& values = chart.values.emplace_back(c->accuracies);
    for (double& v : values) v *= 100;
  }
  return chart;
}

vision::BarChart error_chart(const Contestant& a, const Contestant& b) {
  const Errors errors(a, b);
  return {.title = "Errors of the first seed",
          .y_label = "test images",
          .labels = {"only " + a.network.name, "both", "only " + b.network.name},
          .values = {double(errors.only_a), double(errors.both), double(errors.only_b)},
          .colours = {kFirst, vision::palette::grey, kSecond},
          .value_texts = {std::to_string(errors.only_a), std::to_string(errors.both),
                          std::to_string(errors.only_b)}};
}

/// Two rows of three panels: what comes out, and what it costs.
vision::Canvas comparison_figure(const Contestant& a, const Contestant& b, int64_t train_samples) {
  constexpr double kWidth = 340, kHeight = 300, kTop = 44;
  vision::Canvas canvas(int(3 * kWidth), int(kTop + 2 * kHeight));
  canvas.text(canvas.width() / 2.0, 24,
              fmt::format("{} and {}: {} epoch{} on {} images", a.network.name, b.network.name,
                          a.recipe.epochs, a.recipe.epochs == 1 ? "" : "s", train_samples),
              {.size = 19, .align = vision::Align::centre, .bold = true});
  const auto draw_bars = [&](int row, int column, const vision::BarChart& chart) {
    vision::draw_bars(canvas, column * kWidth, kTop + row * kHeight, kWidth, kHeight, chart);
  };
  auto training =
      bars(a, b, "Training time", "s", cli::spread(a.seconds).mean, cli::spread(b.seconds).mean, "{:.1f}");
  training.errors = {cli::spread(a.seconds).deviation, cli::spread(b.seconds).deviation};
  vision::draw_spread(canvas, 0, kTop, kWidth, kHeight, accuracy_chart(a, b));
  draw_bars(0, 1, error_chart(a, b));
  draw_bars(0, 2,
            bars(a, b, "Parameters", "thousands", double(a.cost.parameters) / 1e3,
                 double(b.cost.parameters) / 1e3, "{:.1f}"));
  draw_bars(1, 0,
            bars(a, b, "Multiply-adds an image", "millions", double(a.cost.multiply_adds) / 1e6,
                 double(b.cost.multiply_adds) / 1e6, "{:.2f}"));
  draw_bars(1, 1, training);
  draw_bars(1, 2, bars(a, b, "Latency of one image", "ms", a.latency_ms, b.latency_ms, "{:.3f}"));
  return canvas;
}

nlohmann::ordered_json to_json(const Contestant& c) {
  const cli::Spread accuracy = cli::spread(c.accuracies);
  return {{"model", c.network.name},
          {"recipe", c.recipe.json()},
          {"mean_accuracy", accuracy.mean},
          {"accuracy_deviation", accuracy.deviation},
          {"accuracies", c.accuracies},
          {"parameters", c.cost.parameters},
          {"multiply_adds", c.cost.multiply_adds},
          {"training_seconds", c.seconds},
          {"latency_ms", c.latency_ms}};
}

void run(cli::Program& program) {
  int64_t seeds = 3, train_samples = 0;
  bool resume = false;
  std::string first = "cnn", second = "mlp";
  program.text("--model", first, "First network", "MODEL");
  program.text("--against", second, "Second network", "MODEL");
  program.number("--seeds", seeds, {1, 1000}, "Trainings of each, with seeds --seed, --seed + 1, ...");
  program.number("--train-samples", train_samples, {0, 60'000}, "Use only so many training images; 0: all");
  program.flag("--resume", resume, "Go on where an earlier comparison was stopped, if there is one");
  const cli::RecipeFlags flags(program, "fast");
  cli::ProfileFlag profile(program);
  program.parse();
  std::vector<Contestant> both(2);
  for (size_t i = 0; i < 2; ++i) {
    both[i].network = cli::find_network(i == 0 ? first : second);
    both[i].recipe = flags.resolve(both[i].network.name);
    both[i].recipe.epochs = both[0].recipe.epochs;  // one budget for both
    both[i].cost = nn::summary(*cli::build_network(both[i].network, 0), {1, 1, 28, 28});
  }
  cli::Output& output = program.open_output({"figures", kCheckpoints});
  const std::vector<cli::TrainingJob> jobs = jobs_of(both, program, seeds, resume);
  output.claim_figure(kFigure);
  output.claim(kNumbers);
  for (const cli::TrainingJob& job : jobs)
    for (const auto& file : cli::checkpoint_files(job.prefix))
      cli::claim_file(file, program.common().overwrite);
  profile.start();

  const cli::MnistData data = cli::load_mnist(program.root(), both[0].recipe.validation, train_samples);
  cli::train_all(program, data, jobs, [&](size_t i, const cli::TrainedNetwork& trained) {
    add_result(both[i / size_t(seeds)], trained, data.test);
  });
  profile.finish();

  nlohmann::ordered_json table = nlohmann::ordered_json::array();
  program.print("{:<26}{:>16}{:>16}\n", "", both[0].network.name, both[1].network.name);
  for (const Row& row : table_of(both[0], both[1])) {
    program.print("{:<26}{:>16}{:>16}\n", row.what, row.first, row.second);
    table.push_back({row.what, row.first, row.second});
  }
  output.save_figure(kFigure, comparison_figure(both[0], both[1], data.train.size()));
  const nlohmann::ordered_json results = {
      {"seeds", seeds}, {"networks", {to_json(both[0]), to_json(both[1])}}, {"table", table}};
  output.save(kNumbers, results);
  program.save_results(results);
  program.print("{}\n", both[0].report.line());
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_compare", "Compares a convolutional network with a perceptron", argc, argv,
                       run);
}
