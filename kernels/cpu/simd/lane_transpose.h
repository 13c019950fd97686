#pragma once
/// @file lane_transpose.h
/// Square transposes in registers: as many vectors of floats as a vector has lanes.

#include <utility>

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

/// The shuffles of two vectors that a transpose consists of; each is one instruction. Names as in Intel's
/// manuals: a *quarter* is four neighbouring lanes.
template <class = std::make_integer_sequence<int, Lanes<float>::count>>
struct Shuffles;
template <int... I>
struct Shuffles<std::integer_sequence<int, I...>> {
  using V = Lanes<float>::V;
  static constexpr int n = sizeof...(I);
  /// Lane 4 q + i of the result is lane 4 q + pick / 2 of a (pick even) or b (pick odd); pick for i = 0
  /// ... 3.
  template <int p0, int p1, int p2, int p3>
  [[gnu::always_inline]] static V within_quarters(V a, V b) {
    constexpr int pick[4] = {p0, p1, p2, p3};
    return __builtin_shufflevector(a, b, (I / 4 * 4 + pick[I % 4] / 2 + pick[I % 4] % 2 * n)...);
  }
  /// The quarters at even (odd = 0) or odd places of a, then those of b.
  template <int odd>
  [[gnu::always_inline]] static V every_other_quarter(V a, V b) {
    return __builtin_shufflevector(a, b, ((I / 4 * 2 + odd) * 4 + I % 4)...);
  }
};

/// rows[i][j] becomes rows[j][i], by 64 shuffles for 16 x 16, 24 for 8 x 8, 8 for 4 x 4.
[[gnu::always_inline]] inline void transpose_square(Lanes<float>::V* rows) {
  using S = Shuffles<>;
  constexpr int n = S::n;
  Lanes<float>::V pairs[n], out[n];
#pragma GCC unroll 16
  for (int i = 0; i < n; i += 2) {
    pairs[i] = S::within_quarters<0, 1, 2, 3>(rows[i], rows[i + 1]);
    pairs[i + 1] = S::within_quarters<4, 5, 6, 7>(rows[i], rows[i + 1]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < n; i += 4)  // now rows[i + j], quarter q: column 4 q + j of rows i ... i + 3
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      rows[i + 2 * half] = S::within_quarters<0, 2, 1, 3>(pairs[i + half], pairs[i + 2 + half]);
      rows[i + 2 * half + 1] = S::within_quarters<4, 6, 5, 7>(pairs[i + half], pairs[i + 2 + half]);
    }
  if constexpr (n == 8) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      out[j] = S::every_other_quarter<0>(rows[j], rows[4 + j]);
      out[4 + j] = S::every_other_quarter<1>(rows[j], rows[4 + j]);
    }
  } else if constexpr (n == 16) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const auto even_low = S::every_other_quarter<0>(rows[j], rows[4 + j]);
      const auto even_high = S::every_other_quarter<0>(rows[8 + j], rows[12 + j]);
      const auto odd_low = S::every_other_quarter<1>(rows[j], rows[4 + j]);
      const auto odd_high = S::every_other_quarter<1>(rows[8 + j], rows[12 + j]);
      out[j] = S::every_other_quarter<0>(even_low, even_high);
      out[8 + j] = S::every_other_quarter<1>(even_low, even_high);
      out[4 + j] = S::every_other_quarter<0>(odd_low, odd_high);
      out[12 + j] = S::every_other_quarter<1>(odd_low, odd_high);
    }
  }
  if constexpr (n > 4)
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = out[i];
}

}  // namespace
}  // namespace UNCIAL_SIMD
