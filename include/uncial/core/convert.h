#pragma once
/// @file convert.h
/// One rule for turning an element of one type into another.

#include <limits>
#include <type_traits>

#include "uncial/core/dtype.h"

namespace uncial {

/// `value` as To, without undefined behaviour: floats go to integers towards zero, NaN becomes 0, and what is
/// out of range becomes the nearest end of it; anything but 0 is true.
template <class To, class From>
constexpr To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert<To>(float(value));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return bfloat16(float(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Outside the range the C++ conversion is undefined. 2^63 is the first double above int64's range.
    const double v = double(value), end = 2.0 * double(uint64_t(1) << (std::numeric_limits<To>::digits - 1));
    if (!(v == v)) return 0;
    if (v >= end) return std::numeric_limits<To>::max();
    if (v < double(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    return To(v);
  } else {
    return To(value);
  }
}

}  // namespace uncial
