#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/axis.h"
#include "vision/layout.h"

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

Axis bar_axis(const BarChart& chart, double height) {
  AxisWish wish{.low = 0, .high = 0, .ticks = std::max(2, int(height / 45)), .fixed_low = chart.low};
  bool any = false;
  for (size_t i = 0; i < chart.values.size(); ++i) {
    if (!std::isfinite(chart.values[i])) continue;
    const double e = error_of(chart, i);
    wish.high = any ? std::max(wish.high, chart.values[i] + e) : chart.values[i] + e;
    wish.low = std::min(wish.low, chart.values[i] - e);
    any = true;
  }
  if (!chart.low) wish.high = std::max(wish.high, 0.0);
  return make_axis(wish);
}

}  // namespace

void draw_bars(Canvas& canvas, double x, double y, double w, double h, const BarChart& chart) {
  check(chart);
  double top = y + 10;
  top += draw_chart_title(canvas, x + 14, top, w - 28, chart.title);
  top += chart.value_texts.empty() ? 8 : 24;
  // The labels' height depends on the bars' width, that on the axis labels' width, that on the height: so it
  // is reckoned with a first axis, whose labels are as wide as the final one's to a few pixels.
  const double left_of_axis = x + 18 + (chart.y_label.empty() ? 0 : 22);
  const Axis first = bar_axis(chart, y + h - 40 - top);
  const size_t n = chart.values.size();
  const double slot_guess = (x + w - 22 - left_of_axis - widest(canvas, first.labels, {.size = kTickSize})) /
                            double(std::max<size_t>(n, 1));
  const TextStyle label{.size = kTickSize, .colour = kText, .align = Align::centre};
  constexpr double kLine = 16;
  size_t lines = 1;
  for (const std::string& text : chart.labels)
    lines = std::max(lines, wrapped(canvas, text, label, slot_guess - 8).size());
  const double bottom = y + h - 18 - kLine * double(lines);
  require(bottom - top > 20, "draw_bars: ", w, " x ", h, " pixels leave no room to plot in.");

  const Axis axis = bar_axis(chart, bottom - top);
  const double left = left_of_axis + widest(canvas, axis.labels, {.size = kTickSize}),
               width = x + w - 22 - left;
  require(width > 20, "draw_bars: ", w, " x ", h, " pixels leave no room to plot in.");
  const double height = bottom - top, slot = width / double(std::max<size_t>(n, 1));
  const auto at = [&](double v) { return bottom - std::clamp(axis.place(v), 0.0, 1.0) * height; };
  for (size_t i = 0; i < axis.ticks.size(); ++i) {
    canvas.line(left, at(axis.ticks[i]), left + width, at(axis.ticks[i]), kGrid);
    canvas.text(left - 7, at(axis.ticks[i]), axis.labels[i],
                {.size = kTickSize, .colour = kText, .align = Align::right});
  }
  for (size_t i = 0; i < n; ++i) {
    const double middle = left + (double(i) + 0.5) * slot, bar = std::min(0.62 * slot, 90.0);
    const std::vector<std::string> label_lines = wrapped(canvas, chart.labels[i], label, slot_guess - 8);
    for (size_t k = 0; k < label_lines.size(); ++k)
      canvas.text(middle, bottom + 14 + kLine * double(k), label_lines[k],
                  fitted(canvas, label_lines[k], label, slot - 4));
    const double v = chart.values[i], e = error_of(chart, i);
    if (!std::isfinite(v)) continue;
    const double base = at(std::max(0.0, axis.low)), end = at(v);
    canvas.fill_rect(middle - bar / 2, std::min(base, end), bar, std::abs(base - end),
                     chart.colours.empty() ? palette::blue : chart.colours[i]);
    if (e > 0) {
      const double cap = std::min(7.0, bar / 3);
      canvas.line(middle, at(v - e), middle, at(v + e), palette::black, 1.5);
      for (double edge : {at(v - e), at(v + e)})
        canvas.line(middle - cap, edge, middle + cap, edge, palette::black, 1.5);
    }
    if (!chart.value_texts.empty())
      canvas.text(middle, std::min(base, at(v + e)) - 11, chart.value_texts[i],
                  fitted(canvas, chart.value_texts[i],
                         {.size = kTickSize, .align = Align::centre, .bold = true}, slot - 4));
  }
  canvas.line(left, top, left, bottom, kFrame);
  canvas.line(left, at(std::max(0.0, axis.low)), left + width, at(std::max(0.0, axis.low)), kFrame);
  TextStyle upwards =
      fitted(canvas, chart.y_label, {.size = kLabelSize, .colour = kText, .align = Align::centre}, height);
  upwards.degrees = 90;
  canvas.text(x + 16, top + height / 2, chart.y_label, upwards);
}

}  // namespace uncial::vision
