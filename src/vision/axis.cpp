#include "vision/axis.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace uncial::vision {
namespace {

/// The smallest of 1, 2, 5 times a power of ten that is at least `size`.
double round_step(double size) {
  const double power = std::pow(10, std::floor(std::log10(size)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= size * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

std::string format_shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr};
}

/// Tick labels that tell neighbours apart.
std::string tick_label(double value, double step) {
  const int decimals = std::max(0, int(-std::floor(std::log10(step) + 1e-9)));
  if (decimals > 5 || std::abs(value) >= 1e6) return value == 0 ? "0" : format_shortest(value);
  return format_fixed(value == 0 ? 0 : value, decimals);  // no "-0"
}

void finish_linear(Axis& axis, const AxisWish& wish) {
  double step = round_step((axis.high - axis.low) / std::max(1, wish.ticks));
  if (wish.whole) step = std::max(1.0, step);
  const double slack = 1e-9 * step;
  if (wish.margin >= 0) {
    const double margin = wish.margin * (axis.high - axis.low);
    if (!wish.fixed_low) axis.low -= margin;
    if (!wish.fixed_high) axis.high += margin;
  } else {
    if (!wish.fixed_low) axis.low = std::floor((axis.low + slack) / step) * step;
    if (!wish.fixed_high) axis.high = std::ceil((axis.high - slack) / step) * step;
  }
  for (double k = std::ceil((axis.low - slack) / step); k * step <= axis.high + slack; ++k) {
    axis.ticks.push_back(k * step);
    axis.labels.push_back(tick_label(k * step, step));
  }
}

void finish_log(Axis& axis, const AxisWish& wish) {
  // Every 1-2-5, or every so-manyth power of ten when that would crowd.
  const double decades = std::log10(axis.high / axis.low);
  const int stride = std::max(1, int(std::ceil((decades + 1) / std::max(2, wish.ticks))));
  std::vector<double> marks;
  for (int e = int(std::floor(std::log10(axis.low))) - 1; e <= int(std::ceil(std::log10(axis.high))) + 1;
       ++e) {
    if (3 * decades <= wish.ticks)
      for (double factor : {1.0, 2.0, 5.0}) marks.push_back(factor * std::pow(10, e));
    else if (e % stride == 0)
      marks.push_back(std::pow(10, e));
  }
  const double low = axis.low * (1 + 1e-9), high = axis.high * (1 - 1e-9);
  if (!wish.fixed_low)
    for (double mark : marks)
      if (mark <= low) axis.low = mark;
  if (!wish.fixed_high)
    for (size_t i = marks.size(); i-- > 0;)
      if (marks[i] >= high) axis.high = marks[i];
  for (double mark : marks)
    if (mark >= axis.low * (1 - 1e-9) && mark <= axis.high * (1 + 1e-9)) {
      axis.ticks.push_back(mark);
      axis.labels.push_back(format_shortest(mark));
    }
}

}  // namespace

double Axis::place(double value) const {
  if (!log) return (value - low) / (high - low);
  return value > 0 ? std::log(value / low) / std::log(high / low) : NAN;
}

Axis make_axis(const AxisWish& wish) {
  Axis axis;
  axis.log = wish.log;
  axis.low = wish.fixed_low.value_or(wish.low);
  axis.high = wish.fixed_high.value_or(wish.high);
  if (!(axis.low < axis.high)) {  // one value only, or ends that contradict the data
    const double half = axis.low == 0 ? 1 : std::abs(axis.low) * 0.1;
    if (wish.fixed_low && !wish.fixed_high)
      axis.high = axis.low + 2 * half;
    else if (wish.fixed_high && !wish.fixed_low)
      axis.low = axis.high - 2 * half;
    else
      axis.low -= half, axis.high = axis.low + 2 * half;
  }
  wish.log ? finish_log(axis, wish) : finish_linear(axis, wish);
  return axis;
}

std::string format_fixed(double value, int decimals) {
  char text[400];
  const auto end =
      std::to_chars(text, text + sizeof text, std::abs(value), std::chars_format::fixed, decimals).ptr;
  return (value < 0 ? "\u2212" : "") + std::string(text, end);
}

}  // namespace uncial::vision
