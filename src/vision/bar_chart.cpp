#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/category_plot.h"

namespace uncial::vision {
namespace {

void check(const BarChart& chart) {
  const size_t n = chart.values.size();
  const auto fits = [n](size_t size) { return size == 0 || size == n; };
  require(chart.labels.size() == n && fits(chart.errors.size()) && fits(chart.colours.size()) &&
              fits(chart.value_texts.size()),
          "draw_bars: ", n, " values need as many labels, got ", chart.labels.size(),
          ", and as many errors, colours and value texts or none, got ", chart.errors.size(), ", ",
          chart.colours.size(), " and ", chart.value_texts.size(), ".");
}

double error_of(const BarChart& chart, size_t i) {
  const double e = chart.errors.empty() ? 0 : chart.errors[i];
  return std::isfinite(e) ? std::abs(e) : 0;
}

AxisWish extent(const BarChart& chart) {
  AxisWish wish{.low = 0, .high = 0, .fixed_low = chart.low};
  bool any = false;
  for (size_t i = 0; i < chart.values.size(); ++i) {
    if (!std::isfinite(chart.values[i])) continue;
    const double e = error_of(chart, i);
    wish.high = any ? std::max(wish.high, chart.values[i] + e) : chart.values[i] + e;
    wish.low = std::min(wish.low, chart.values[i] - e);
    any = true;
  }
  if (!chart.low) wish.high = std::max(wish.high, 0.0);
  return wish;
}

void draw_error(Canvas& canvas, double x, double low, double high, double cap) {
  canvas.line(x, low, x, high, palette::black, 1.5);
  for (double edge : {low, high}) canvas.line(x - cap, edge, x + cap, edge, palette::black, 1.5);
}

}  // namespace

void draw_bars(Canvas& canvas, double x, double y, double w, double h, const BarChart& chart) {
  check(chart);
  const CategoryPlot plot = draw_category_plot(
      canvas, {x, y, w, h},
      {"draw_bars", chart.title, chart.y_label, chart.labels, !chart.value_texts.empty()}, extent(chart));
  const double bar = std::min(0.62 * plot.slot, 90.0), base = plot.at(std::max(0.0, plot.axis.low));
  for (size_t i = 0; i < chart.values.size(); ++i) {
    const double v = chart.values[i], e = error_of(chart, i), middle = plot.middle(i);
    if (!std::isfinite(v)) continue;
    const double end = plot.at(v);
    canvas.fill_rect(middle - bar / 2, std::min(base, end), bar, std::abs(base - end),
                     chart.colours.empty() ? palette::blue : chart.colours[i]);
    if (e > 0) draw_error(canvas, middle, plot.at(v - e), plot.at(v + e), std::min(7.0, bar / 3));
    if (!chart.value_texts.empty())
      plot.draw_value(canvas, i, std::min(base, plot.at(v + e)), chart.value_texts[i]);
  }
  plot.draw_frame(canvas);
}

}  // namespace uncial::vision
