#pragma once
/// @file winograd_matrices.h
/// The matrices of F(4x4, 3x3) with the points 0, 1, -1, 2, -2 and infinity, as straight code:
///
///     y = A^T [(G w G^T) . (B^T x B)] A     dx = B [(G w G^T) . (A dy A^T)] B^T     dw = G^T [(B^T x B) . (A
///     dy A^T)] G
///
/// A matrix is applied to the rows of a tile at once, and to its columns two results at a time (`*_pair`, the
/// two that share most): all 36 intermediate results together would not stay in registers. `d(i)` loads the
/// i-th element of a column.

#include "winograd_layout.h"

namespace UNCIAL_SIMD::winograd {

#define UNCIAL_INLINE [[gnu::always_inline]] inline

/// The rows that the pairs of B^T and A yield.
constexpr int kPairRows[3][2] = {{0, 5}, {1, 2}, {3, 4}};

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

/// A^T: a row of the output, 6 -> 4.
UNCIAL_INLINE void output_row(const V* m, V* o) {
  const V s = m[1] + m[2], d = m[1] - m[2], u = m[3] + m[4], v = m[3] - m[4];
  o[0] = m[0] + s + u;
  o[1] = d + 2 * v;
  o[2] = s + 4 * u;
  o[3] = (d + m[5]) + 8 * v;
}
/// Rows 0 and 1, or 2 and 3: those of a pooling window.
template <int kPair, class Load>
UNCIAL_INLINE void output_pair(Load m, V& first, V& second) {
  const V s = m(1) + m(2), d = m(1) - m(2), u = m(3) + m(4), v = m(3) - m(4);
  if constexpr (kPair == 0) {
    first = m(0) + s + u;
    second = d + 2 * v;
  } else {
    first = s + 4 * u;
    second = (d + m(5)) + 8 * v;
  }
}

/// A: a row of the output gradient, 4 -> 6.
UNCIAL_INLINE void gradient_row(const V* z, V* o) {
  const V e = z[0] + z[2], f = z[1] + z[3], g = z[0] + 4 * z[2], h = 2 * (z[1] + 4 * z[3]);
  o[0] = z[0];
  o[1] = e + f;
  o[2] = e - f;
  o[3] = g + h;
  o[4] = g - h;
  o[5] = z[3];
}
template <int kPair, class Load>
UNCIAL_INLINE void gradient_pair(Load z, V& first, V& second) {
  if constexpr (kPair == 0) {
    first = z(0);
    second = z(3);
  } else if constexpr (kPair == 1) {
    const V e = z(0) + z(2), f = z(1) + z(3);
    first = e + f;
    second = e - f;
  } else {
    const V g = z(0) + 4 * z(2), h = 2 * (z(1) + 4 * z(3));
    first = g + h;
    second = g - h;
  }
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
template <int kHalf>
UNCIAL_INLINE void output_rows(const float* m, int64_t point, V* upper, V* lower) {
  V first[6], second[6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j)
    output_pair<kHalf>(
        [=](int i) __attribute__((always_inline))->V { return load(m + (i * 6 + j) * point); }, first[j],
        second[j]);
  output_row(first, upper);
  output_row(second, lower);
}

/// G: a row of the weights, 3 -> 6, in vectors of kBytes.
template <int kBytes>
UNCIAL_INLINE void weight_row(const typename Lanes<float, kBytes>::V* w,
                              typename Lanes<float, kBytes>::V* o) {
  const typename Lanes<float, kBytes>::V s = (w[0] + w[2]) * (-1.f / 6), m = w[1] * (1.f / 6),
                                         t = w[0] * (1.f / 24) + w[2] * (1.f / 6), n = w[1] * (1.f / 12);
  o[0] = w[0] * .25f;
  o[1] = s - m;
  o[2] = s + m;
  o[3] = t + n;
  o[4] = t - n;
  o[5] = w[2];
}

/// w[tap][filter] -> G w G^T, `point` floats between points.
template <int kBytes>
UNCIAL_INLINE void weight_tile(const float (*w)[kBytes / sizeof(float)], float* u, int64_t point) {
  using Filters = typename Lanes<float, kBytes>::V;
  Filters half[3][6];  // [column of w][row of u]
  for (int s = 0; s < 3; ++s) {
    Filters column[3];
    for (int r = 0; r < 3; ++r) column[r] = load<float, kBytes>(w[r * 3 + s]);
    weight_row<kBytes>(column, half[s]);
  }
  for (int i = 0; i < 6; ++i) {
    const Filters row[3] = {half[0][i], half[1][i], half[2][i]};
    Filters o[6];
    weight_row<kBytes>(row, o);
    for (int j = 0; j < 6; ++j) store<float, kBytes>(u + (i * 6 + j) * point, o[j]);
  }
}

/// f(std::integral_constant<int, 0>), then 1 and 2.
template <class F>
UNCIAL_INLINE void for_pairs(F f) {
  f(std::integral_constant<int, 0>());
  f(std::integral_constant<int, 1>());
  f(std::integral_constant<int, 2>());
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
