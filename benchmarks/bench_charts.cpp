// Draws the charts that results.py and growth.py describe: a list of {file, panels}. A panel is bars {title,
// y_label, labels, values, errors, texts}, the first of them ours, or curves {title, x_label, y_label, log_x,
// log_y, series: [{label, x, y}]}.
//   bench_charts --charts charts.json --out docs/results
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "uncial/core/error.h"
#include "uncial/vision/charts.h"

namespace {

using namespace uncial;
using Json = nlohmann::json;

constexpr int kBarsWidth = 260, kCurvesWidth = 420, kHeight = 300, kMargin = 12;
constexpr vision::Colour kColours[] = {vision::palette::blue, vision::palette::orange, vision::palette::green,
                                       vision::palette::grey};

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

vision::LineChart line_chart(const Json& panel) {
  vision::LineChart chart{.title = panel.at("title"),
                          .x_label = panel.at("x_label"),
                          .y_label = panel.at("y_label"),
                          .log_x = panel.at("log_x"),
                          .log_y = panel.at("log_y")};
  for (const Json& series : panel.at("series"))
    chart.series.push_back({.label = series.at("label"),
                            .x = series.at("x"),
                            .y = series.at("y"),
                            .colour = kColours[chart.series.size() % std::size(kColours)]});
  return chart;
}

int width_of(const Json& panel) { return panel.contains("series") ? kCurvesWidth : kBarsWidth; }

vision::Canvas draw(const Json& panels) {
  int width = 2 * kMargin;
  for (const Json& panel : panels) width += width_of(panel);
  vision::Canvas canvas(width, kHeight + 2 * kMargin);
  double x = kMargin;
  for (const Json& panel : panels) {
    if (panel.contains("series"))
      vision::draw_chart(canvas, x, kMargin, kCurvesWidth, kHeight, line_chart(panel));
    else
      vision::draw_bars(canvas, x, kMargin, kBarsWidth, kHeight, bar_chart(panel));
    x += width_of(panel);
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
