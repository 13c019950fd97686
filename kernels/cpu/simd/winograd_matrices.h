#pragma once
/// @file winograd_matrices.h
/// The matrices of F(4x4, 3x3) and F(2x2, 5x5) with the points 0, 1, -1, 2, -2 and infinity, as straight
/// code:
///
///     y = A^T [(G w G^T) . (B^T x B)] A     dx = B [(G w G^T) . (A dy A^T)] B^T     dw = G^T [(B^T x B) . (A
///     dy A^T)] G
///
/// Both have the same B; rows of A and G are powers of the points, as many as a tile has rows of outputs and
/// a filter of taps. A matrix is applied to the rows of a tile at once, and to its columns two results at a
/// time (`*_pair`, the two that share most): all 36 intermediate results together would not stay in
/// registers. `d(i)` loads the i-th element of a column.

#include "winograd_layout.h"

namespace UNCIAL_SIMD::winograd {

#define UNCIAL_INLINE [[gnu::always_inline]] inline

/// The rows that the pairs of B^T and A yield.
constexpr int kPairRows[3][2] = {{0, 5}, {1, 2}, {3, 4}};

/// f(std::integral_constant<int, 0>), then 1 and 2.
template <class F>
UNCIAL_INLINE void for_pairs(F f) {
  f(std::integral_constant<int, 0>());
  f(std::integral_constant<int, 1>());
  f(std::integral_constant<int, 2>());
}

/// B^T: a row of the input, 6 -> 6.
UNCIAL_INLINE void input_row(const V* d, V* o) {
  const V a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
  o[0] = 4 * d[0] + (d[4] - 5 * d[2]);
  o[1] = a + b;
  o[2] = a - b;
  o[3] = c + e;
  o[4] = c - e;
  o[5] = 4 * d[1] + (d[5] - 5 * d[3]);
}
template <int kPair, class Load>
UNCIAL_INLINE void input_pair(Load d, V& first, V& second) {
  if constexpr (kPair == 0) {
    first = 4 * d(0) + (d(4) - 5 * d(2));
    second = 4 * d(1) + (d(5) - 5 * d(3));
  } else if constexpr (kPair == 1) {
    const V a = d(4) - 4 * d(2), b = d(3) - 4 * d(1);
    first = a + b;
    second = a - b;
  } else {
    const V c = d(4) - d(2), e = 2 * (d(3) - d(1));
    first = c + e;
    second = c - e;
  }
}

/// A^T: a row of the output, 6 -> kEdge.
template <int kEdge>
UNCIAL_INLINE void output_row(const V* m, V* o) {
  const V s = m[1] + m[2], d = m[1] - m[2], u = m[3] + m[4], v = m[3] - m[4];
  o[0] = m[0] + s + u;
  if constexpr (kEdge == 2) {
    o[1] = (d + m[5]) + 2 * v;
  } else {
    o[1] = d + 2 * v;
    o[2] = s + 4 * u;
    o[3] = (d + m[5]) + 8 * v;
  }
}
/// Rows 0 and 1, or 2 and 3: those of a pooling window.
template <int kEdge, int kPair, class Load>
UNCIAL_INLINE void output_pair(Load m, V& first, V& second) {
  const V s = m(1) + m(2), d = m(1) - m(2), u = m(3) + m(4), v = m(3) - m(4);
  if constexpr (kPair == 0) {
    first = m(0) + s + u;
    second = (kEdge == 2 ? d + m(5) : d) + 2 * v;
  } else {
    first = s + 4 * u;
    second = (d + m(5)) + 8 * v;
  }
}

/// Two rows of A: of points 0 and infinity, 1 and -1, or 2 and -2, which have the even powers of a tile's
/// rows in common and the odd ones but for their sign.
template <int kEdge, int kPair, class Load>
UNCIAL_INLINE void gradient_pair(Load z, V& first, V& second) {
  if constexpr (kPair == 0) {
    first = z(0);
    second = z(kEdge - 1);
  } else {
    constexpr float kPoint = kPair, kSquare = kPoint * kPoint;
    V even = z(0), odd = z(1);
    if constexpr (kEdge == 4) {
      even += kSquare * z(2);
      odd += kSquare * z(3);
    }
    first = even + kPoint * odd;
    second = even - kPoint * odd;
  }
}
/// A: a row of the output gradient, kEdge -> 6.
template <int kEdge>
UNCIAL_INLINE void gradient_row(const V* z, V* o) {
  for_pairs([&](auto pair) __attribute__((always_inline)) {
    gradient_pair<kEdge, pair>(
        [=](int i) __attribute__((always_inline))->V { return z[i]; }, o[kPairRows[pair][0]],
        o[kPairRows[pair][1]]);
  });
}

/// B: a row of the input gradient, 6 -> 6.
UNCIAL_INLINE void input_gradient_row(const V* m, V* o) {
  const V s = m[1] + m[2], d = m[1] - m[2], u = m[3] + m[4], v = 2 * (m[3] - m[4]);
  o[0] = 4 * m[0];
  o[1] = 4 * (m[5] - d) - v;
  o[2] = -5 * m[0] - (4 * s + u);
  o[3] = (d + v) - 5 * m[5];
  o[4] = m[0] + s + u;
  o[5] = m[5];
}
template <int kPair, class Load>
UNCIAL_INLINE void input_gradient_pair(Load m, V& first, V& second) {
  if constexpr (kPair == 0) {
    first = 4 * m(0);
    second = m(5);
  } else if constexpr (kPair == 1) {
    const V d = m(1) - m(2), v = 2 * (m(3) - m(4)), last = m(5);
    first = 4 * (last - d) - v;
    second = (d + v) - 5 * last;
  } else {
    const V s = m(1) + m(2), u = m(3) + m(4), zeroth = m(0);
    first = -5 * zeroth - (4 * s + u);
    second = zeroth + s + u;
  }
}

/// Rows 2 * kHalf and 2 * kHalf + 1 of an output tile, from its points.
template <int kEdge, int kHalf>
UNCIAL_INLINE void output_rows(const float* m, int64_t point, V* upper, V* lower) {
  V first[6], second[6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j)
    output_pair<kEdge, kHalf>(
        [=](int i) __attribute__((always_inline))->V { return load(m + (i * 6 + j) * point); }, first[j],
        second[j]);
  output_row<kEdge>(first, upper);
  output_row<kEdge>(second, lower);
}

/// G: a row of the weights, taps -> 6, in vectors of kBytes.
template <int kTapsHere, int kBytes>
UNCIAL_INLINE void weight_row(const typename Lanes<float, kBytes>::V* w,
                              typename Lanes<float, kBytes>::V* o) {
  using Filters = typename Lanes<float, kBytes>::V;
  Filters even = (w[0] + w[2]) * (-1.f / 6), odd = w[1] * (1.f / 6);  // powers of 1
  Filters even2 = w[0] * (1.f / 24) + w[2] * (1.f / 6), odd2 = w[1] * (1.f / 12);
  if constexpr (kTapsHere == 5) {
    even -= w[4] * (1.f / 6);
    odd += w[3] * (1.f / 6);
    even2 += w[4] * (2.f / 3);
    odd2 += w[3] * (1.f / 3);
  }
  o[0] = w[0] * .25f;
  o[1] = even - odd;
  o[2] = even + odd;
  o[3] = even2 + odd2;
  o[4] = even2 - odd2;
  o[5] = w[kTapsHere - 1];
}

/// w[tap][filter] -> G w G^T, `point` floats between points.
template <int kTapsHere, int kBytes>
UNCIAL_INLINE void weight_tile(const float (*w)[kBytes / sizeof(float)], float* u, int64_t point) {
  using Filters = typename Lanes<float, kBytes>::V;
  Filters half[kTapsHere][kPatch];  // [column of w][row of u]
  for (int s = 0; s < kTapsHere; ++s) {
    Filters column[kTapsHere];
    for (int r = 0; r < kTapsHere; ++r) column[r] = load<float, kBytes>(w[r * kTapsHere + s]);
    weight_row<kTapsHere, kBytes>(column, half[s]);
  }
  for (int i = 0; i < kPatch; ++i) {
    Filters row[kTapsHere], o[kPatch];
    for (int s = 0; s < kTapsHere; ++s) row[s] = half[s][i];
    weight_row<kTapsHere, kBytes>(row, o);
    for (int j = 0; j < kPatch; ++j) store<float, kBytes>(u + (i * kPatch + j) * point, o[j]);
  }
}

/// 6 results, `step` floats apart.
UNCIAL_INLINE void store_points(const V* o, float* to, int64_t step) {
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) store<float>(to + j * step, o[j]);
}

/// B^T d B; d has 6 rows with `col` floats between columns.
UNCIAL_INLINE void input_tile(const float* const* row, int64_t col, float* to, int64_t step) {
  for_pairs([&](auto pair) __attribute__((always_inline)) {
    V first[6], second[6], o[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j)
      input_pair<pair>(
          [=](int i) __attribute__((always_inline))->V { return load(row[i] + j * col); }, first[j],
          second[j]);
    input_row(first, o);
    store_points(o, to + kPairRows[pair][0] * 6 * step, step);
    input_row(second, o);
    store_points(o, to + kPairRows[pair][1] * 6 * step, step);
  });
}

}  // namespace UNCIAL_SIMD::winograd
