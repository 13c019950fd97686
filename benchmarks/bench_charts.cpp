// Draws the bar charts that results.py describes: a list of {file, panels: [{title, y_label, labels, values,
// errors, texts}]}. The first bar of each panel is ours.
//   bench_charts --charts charts.json --out docs/results
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "uncial/core/error.h"
#include "uncial/vision/charts.h"

namespace {

using namespace uncial;
using Json = nlohmann::json;

constexpr int kPanelWidth = 260, kHeight = 300, kMargin = 12;

vision::BarChart bar_chart(const Json& panel) {
  vision::BarChart chart{.title = panel.at("title"),
                         .y_label = panel.at("y_label"),
                         .labels = panel.at("labels"),
                         .values = panel.at("values"),
                         .errors = panel.at("errors"),
                         .value_texts = panel.at("texts")};
  chart.colours.assign(chart.values.size(), vision::palette::grey);
  if (!chart.colours.empty()) chart.colours[0] = vision::palette::blue;
  return chart;
}

vision::Canvas draw(const Json& panels) {
  vision::Canvas canvas(int(panels.size()) * kPanelWidth + 2 * kMargin, kHeight + 2 * kMargin);
  double x = kMargin;
  for (const Json& panel : panels) {
    vision::draw_bars(canvas, x, kMargin, kPanelWidth, kHeight, bar_chart(panel));
    x += kPanelWidth;
  }
  return canvas;
}

void run(cli::Program& program) {
  std::string path;
  program.text("--charts", path, "What to draw, as results.py writes it", "FILE");
  program.parse();
  std::ifstream file(path);
  if (!file) fail(ErrorKind::io, "bench_charts: cannot read '", path, "'; give --charts FILE.");
  try {
    for (const Json& chart : Json::parse(file))
      draw(chart.at("panels")).save_png(program.root() / chart.at("file").get<std::string>());
  } catch (const Json::exception& e) {
    fail(ErrorKind::data, "bench_charts: ", path, ": ", e.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("bench_charts", "Draws the charts of the benchmarks", argc, argv, run);
}
