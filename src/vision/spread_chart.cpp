#include <algorithm>
#include <cmath>
#include <iterator>

#include "uncial/vision/charts.h"
#include "vision/category_plot.h"

namespace uncial::vision {
namespace {

constexpr Colour kBand{222, 222, 222};  // behind the dots: the deviation

void check(const SpreadChart& chart) {
  const size_t n = chart.values.size();
  const auto fits = [n](size_t size) { return size == 0 || size == n; };
  require(chart.labels.size() == n && fits(chart.colours.size()) && fits(chart.value_texts.size()),
          "draw_spread: ", n, " lists of values need as many labels, got ", chart.labels.size(),
          ", and as many colours and value texts or none, got ", chart.colours.size(), " and ",
          chart.value_texts.size(), ".");
}

std::vector<double> finite(const std::vector<double>& values) {
  std::vector<double> kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept),
               [](double v) { return std::isfinite(v); });
  return kept;
}

struct Summary {
  double mean = 0, deviation = 0, high = -INFINITY, low = INFINITY;  // ends of dots and deviation together
};

/// `values` has at least one.
Summary summary_of(const std::vector<double>& values) {
  Summary s;
  const double n = double(values.size());
  for (const double v : values) s.mean += v / n;
  for (const double v : values) s.deviation += (v - s.mean) * (v - s.mean);
  s.deviation = values.size() > 1 ? std::sqrt(s.deviation / (n - 1)) : 0;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  s.low = std::min(*low, s.mean - s.deviation), s.high = std::max(*high, s.mean + s.deviation);
  return s;
}

AxisWish extent(const SpreadChart& chart) {
  AxisWish wish{.low = INFINITY, .high = -INFINITY};
  for (const auto& list : chart.values)
    if (const std::vector<double> values = finite(list); !values.empty()) {
      const Summary s = summary_of(values);
      wish.low = std::min(wish.low, s.low), wish.high = std::max(wish.high, s.high);
    }
  if (wish.low > wish.high) wish.low = 0, wish.high = 1;
  return wish;
}

}  // namespace

void draw_spread(Canvas& canvas, double x, double y, double w, double h, const SpreadChart& chart) {
  constexpr double kRadius = 4.5;
  check(chart);
  const CategoryPlot plot = draw_category_plot(
      canvas, {x, y, w, h},
      {"draw_spread", chart.title, chart.y_label, chart.labels, !chart.value_texts.empty()}, extent(chart));
  plot.draw_frame(canvas);
  for (size_t i = 0; i < chart.values.size(); ++i) {
    const std::vector<double> values = finite(chart.values[i]);
    if (values.empty()) continue;
    const Summary s = summary_of(values);
    const double middle = plot.middle(i), half = std::min(0.34 * plot.slot, 50.0);
    if (s.deviation > 0) {
      const double top = plot.at(s.mean + s.deviation);
      canvas.fill_rect(middle - half, top, 2 * half, plot.at(s.mean - s.deviation) - top, kBand);
    }
    canvas.line(middle - half, plot.at(s.mean), middle + half, plot.at(s.mean), palette::black, 1.5);
    // Side by side, so that equal ones do not hide each other.
    const double step = std::min(2.5 * kRadius, 2 * (half - kRadius) / double(values.size()));
    for (size_t k = 0; k < values.size(); ++k)
      canvas.circle(middle + (double(k) - (double(values.size()) - 1) / 2) * step, plot.at(values[k]),
                    kRadius, chart.colours.empty() ? palette::blue : chart.colours[i]);
    if (!chart.value_texts.empty())
      plot.draw_value(canvas, i, plot.at(s.high) - kRadius, chart.value_texts[i]);
  }
}

}  // namespace uncial::vision
