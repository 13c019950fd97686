// Gathers every picture and number made so far into one page that needs nothing else: figures/report.html.
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/figure_list.h"
#include "cli/output.h"
#include "cli/own_file.h"
#include "cli/program.h"
#include "cli/report_page.h"
#include "cli/results.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace {

using namespace uncial;
using Json = nlohmann::ordered_json;

std::string percent(const Json& value) { return fmt::format("{:.2f}", 100 * value.get<double>()); }

/// Those figures of a group that have been made. Drawings become a part of the page; a figure of which only
/// the PNG is there is shown as that.
void add_figures(cli::ReportPage& page, const std::filesystem::path& root, std::string_view group,
                 bool with_heading = true) {
  constexpr int64_t kMost = int64_t(1) << 26;
  for (const cli::FigureInfo& figure : cli::figure_list()) {
    const std::filesystem::path png = root / "figures" / fmt::format("{}.png", figure.name),
                                svg = root / "figures" / fmt::format("{}.svg", figure.name);
    std::error_code error;
    const bool drawn = std::filesystem::exists(svg, error) && cli::is_own_file(svg);
    if (figure.group != group || (!drawn && !std::filesystem::exists(png, error))) continue;
    if (std::exchange(with_heading, false)) page.heading(group);
    if (drawn)
      page.drawing(io::read_file(svg, kMost), figure.caption);
    else
      page.picture(io::read_file(png, kMost), figure.caption);
  }
}

void add_models(cli::ReportPage& page, const std::vector<Json>& models) {
  page.heading("Models");
  std::vector<std::vector<std::string>> rows;
  for (const Json& model : models)
    for (const Json& run : model.at("runs")) {
      const Json& test = run.at("test");
      rows.push_back({model.at("model").get<std::string>(), std::to_string(run.at("seed").get<uint64_t>()),
                      percent(test.at("accuracy")),
                      percent(test.at("accuracy_low")) + " to " + percent(test.at("accuracy_high")),
                      fmt::format("{:.4f}", test.at("loss").get<double>()),
                      std::to_string(test.at("errors").get<int64_t>()),
                      std::to_string(model.at("parameters").get<int64_t>()),
                      std::to_string(model.at("multiply_adds").get<int64_t>()),
                      fmt::format("{:.0f}", run.at("training_seconds").get<double>())});
    }
  page.table({"network", "seed", "accuracy, %", "95 % interval", "loss", "errors", "parameters",
              "multiply-adds", "training, s"},
             rows);
  page.paragraph(
      "Accuracy is that of the last or averaged weights on the test images, which played no part in "
      "training.");
}

void add_details(cli::ReportPage& page, const Json& model) {
  const std::string name = model.at("model").get<std::string>();
  const Json& run = model.at("runs").at(0);
  page.heading(name + ": how it was trained");
  std::vector<std::vector<std::string>> recipe;
  for (const auto& [key, value] : model.at("recipe").items())
    recipe.push_back({key, value.is_string() ? value.get<std::string>() : value.dump()});
  page.table({"recipe", ""}, recipe);
  std::vector<std::vector<std::string>> epochs;
  for (const Json& e : run.at("history").at("epochs"))
    epochs.push_back({std::to_string(e.at("epoch").get<int64_t>()),
                      fmt::format("{:.4f}", e.at("loss").get<double>()), percent(e.at("accuracy")),
                      fmt::format("{:.4f}", e.at("validation_loss").get<double>()),
                      percent(e.at("validation_accuracy")), fmt::format("{:.2g}", e.at("lr").get<double>()),
                      fmt::format("{:.1f}", e.at("seconds").get<double>())});
  page.heading(name + ": epoch by epoch");
  page.table({"epoch", "loss", "accuracy, %", "val. loss", "val. accuracy, %", "learning rate", "s"}, epochs);
  page.heading(name + ": class by class");
  std::vector<std::vector<std::string>> classes;
  for (const Json& c : run.at("test").at("classes"))
    classes.push_back({c.at("name").get<std::string>(), std::to_string(c.at("count").get<int64_t>()),
                       percent(c.at("precision")), percent(c.at("recall")), percent(c.at("f1"))});
  page.table({"class", "test images", "precision, %", "recall, %", "F1, %"}, classes);
}

void add_comparison(cli::ReportPage& page, const std::filesystem::path& root) {
  const auto path = root / "figures/model_comparison.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  const Json comparison = cli::load_json(path);
  page.heading("Comparison");
  std::vector<std::vector<std::string>> rows;
  for (const Json& row : comparison.at("table")) rows.push_back(row.get<std::vector<std::string>>());
  page.table({"", comparison.at("networks").at(0).at("model").get<std::string>(),
              comparison.at("networks").at(1).at("model").get<std::string>()},
             rows);
  add_figures(page, root, "Comparison", false);
}

void fill(cli::ReportPage& page, const std::filesystem::path& root, const std::vector<Json>& models) {
  add_models(page, models);
  for (const char* group : {"Data", "The network trained last"}) add_figures(page, root, group);
  add_comparison(page, root);
  add_figures(page, root, "Augmentation");
  for (const Json& model : models) add_details(page, model);
}

void run(cli::Program& program) {
  program.parse();
  const cli::Output& output = program.open_output({"figures"});
  output.claim("figures/report.html");
  const std::filesystem::path root = program.root();
  const std::vector<Json> models = cli::load_results(root);
  if (models.empty())
    fail(ErrorKind::io, "mnist_report: ", io::printable((root / "models").native()),
         ": no results found. Run mnist_train first.");

  cli::ReportPage page("Handwritten digits with uncial");
  cli::read_results(root, [&] { fill(page, root, models); });
  output.save_text("figures/report.html", page.html());
  program.print("{}\n", io::printable((root / "figures/report.html").native()));
  program.save_results({{"report", (root / "figures/report.html").native()}, {"models", models}});
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_report", "Gathers pictures and numbers into one page", argc, argv, run);
}
