#pragma once
/// @file fixed_math.h
/// Elementary functions in integer arithmetic: the same bits from every compiler, C library and GPU.
/// "Qn" is a number stored as a multiple of 2^-n.

#include <cmath>
#include <cstdint>

#include "uncial/kernels/host_device.h"

namespace uncial::kernels {

inline constexpr int64_t kOneQ30 = int64_t(1) << 30;

/// Product of two Q30 numbers, rounded down. Precondition: |a * b| < 8.
UNCIAL_HD constexpr int64_t multiply_q30(int64_t a, int64_t b) { return a * b >> 30; }

struct SinCos {
  int64_t sin, cos;  ///< Q30
};

/// Sine and cosine of an angle in turns, Q32 (so all of uint32_t is one turn). Exact at multiples of a
/// quarter turn; elsewhere off by less than 4e-9 (measured over 2^20 angles).
UNCIAL_HD constexpr SinCos sincos_turns(uint32_t turns) {
  const uint32_t quadrant = (turns + (1u << 29)) >> 30;
  const int64_t rest = int32_t(turns - (quadrant << 30));  // within an eighth of a turn
  constexpr int64_t kTwoPiQ28 = 1686629713;
  const int64_t x = rest * kTwoPiQ28 >> 30, xx = multiply_q30(x, x);
  int64_t s = kOneQ30,
          c = kOneQ30;  // Taylor series from the last term inwards; the first one left out is < 2e-11
  for (int64_t n = 11; n > 1; n -= 2) s = kOneQ30 - multiply_q30(xx, s) / (n * (n - 1));
  for (int64_t n = 12; n > 0; n -= 2) c = kOneQ30 - multiply_q30(xx, c) / (n * (n - 1));
  s = multiply_q30(x, s);
  switch (quadrant) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

/// -ln((word + 1/2) / 2^32), Q30: an exponential variate from a uniform word. Off by less than 1e-8
/// (measured).
UNCIAL_HD constexpr int64_t minus_log_unit(uint32_t word) {
  constexpr int64_t kLn2Q30 = 744261118, kSqrt2Q30 = 1518500250;
  uint64_t mantissa = 2 * uint64_t(word) + 1;  // in units of 2^-33
  int64_t exponent = 1;
  while (mantissa < (uint64_t(1) << 32)) mantissa <<= 1, ++exponent;  // two turns on average
  int64_t m = int64_t(mantissa >> 2);                                 // [1, 2) in Q30
  if (m > kSqrt2Q30) m >>= 1, --exponent;
  // ln m = 2 artanh z with z = (m - 1) / (m + 1), |z| <= 0.172, where six terms leave 2e-11
  const int64_t z = (m - kOneQ30) * kOneQ30 / (m + kOneQ30), zz = multiply_q30(z, z);
  int64_t series = 0;
  for (int64_t n = 11; n > 0; n -= 2) series = kOneQ30 / n + multiply_q30(series, zz);
  return exponent * kLn2Q30 - 2 * multiply_q30(z, series);
}

struct NormalPair {
  double first, second;
};

/// Two independent standard normal values from two uniform words (Box & Muller, 1958). Only the square root
/// and one product are floating point, and IEEE 754 fixes both.
UNCIAL_HD inline NormalPair normal_pair(uint32_t a, uint32_t b) {
  const double radius = std::sqrt(double(2 * minus_log_unit(a)) * 0x1p-30);
  const SinCos angle = sincos_turns(b);
  return {radius * (double(angle.cos) * 0x1p-30), radius * (double(angle.sin) * 0x1p-30)};
}

/// A uniform word as a value in [-range, range); range and result in Q32. Precondition: 0 <= range <= 2^32.
UNCIAL_HD constexpr int64_t symmetric_draw(int64_t range, uint32_t word) {
  return range * int32_t(word) >> 31;
}

/// A uniform word as an integer in [0, bound). Precondition: 0 < bound <= 2^31; bias below bound / 2^32.
UNCIAL_HD constexpr int64_t draw_below(int64_t bound, uint32_t word) {
  return int64_t(uint64_t(bound) * word >> 32);
}

/// A real as Q`bits`, rounded to nearest.
inline int64_t to_fixed(double value, int bits) { return std::llround(std::ldexp(value, bits)); }

}  // namespace uncial::kernels
