#pragma once
// Ranges, ticks and their labels.

#include <optional>
#include <string>
#include <vector>

namespace uncial::vision {

/// One axis of a chart: its range and where it is labelled.
struct Axis {
  double low = 0, high = 1;
  bool log = false;
  std::vector<double> ticks;
  std::vector<std::string> labels;  ///< one a tick

  /// Where `value` lies: 0 at low, 1 at high. NaN for a value that a logarithmic axis cannot show.
  double place(double value) const;
};

/// What an axis has to show.
struct AxisWish {
  double low = 0, high = 1;  ///< extent of the data, finite
  int ticks = 6;             ///< about how many
  bool whole = false;        ///< no ticks between integers
  bool log = false;
  /// Ends that the caller fixed. The others move outwards to the next tick, or by `margin` of the range when
  /// >= 0.
  std::optional<double> fixed_low = std::nullopt, fixed_high = std::nullopt;
  double margin = -1;
};

/// Ticks at 1, 2 or 5 times a power of ten.
Axis make_axis(const AxisWish& wish);

/// `value` with this many decimals, a point in any locale, and a true minus sign.
std::string format_fixed(double value, int decimals);

}  // namespace uncial::vision
