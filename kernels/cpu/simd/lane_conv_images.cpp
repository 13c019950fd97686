// The weight gradient with images in the lanes, for few channels: a block of filters x taps stays in
// registers over all rows of the image, and the sum over lanes waits for the end of the step. The output
// gradient is read where it is, ReLU and pooling undone on the way.

#include <type_traits>

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

/// Sources of the output gradient. at(i, q, odd): filter i of a block, column q (odd: its parity).
struct Plain {
  const float* dy;
  int64_t plane;
  Plain(const LaneGradient& g, int64_t k, int64_t p)
      : dy(g.dy.at_row(p) + k * g.dy.plane), plane(g.dy.plane) {}
  [[gnu::always_inline]] V at(int64_t i, int64_t q, int) const { return load(dy + i * plane + q * kLanes); }
  static int64_t rows(const LaneGradient& g) { return g.P; }
  static int64_t columns(const LaneGradient& g) { return g.Q; }
};

struct Masked {
  const float *dy, *y;
  int64_t plane;
  Masked(const LaneGradient& g, int64_t k, int64_t p)
      : dy(g.dy.at_row(p) + k * g.dy.plane), y(g.relu_y + (dy - g.dy.data)), plane(g.dy.plane) {}
  [[gnu::always_inline]] V at(int64_t i, int64_t q, int) const {
    const int64_t offset = i * plane + q * kLanes;
    return load(y + offset) > V{} ? load(dy + offset) : V{};
  }
  static int64_t rows(const LaneGradient& g) { return g.P; }
  static int64_t columns(const LaneGradient& g) { return g.Q; }
};

/// The same with a bit for each lane in the place of y.
struct Marked {
  const float* dy;
  const uint16_t* bits;
  int64_t plane, column;
  Marked(const LaneGradient& g, int64_t k, int64_t p)
      : dy(g.dy.at_row(p) + k * g.dy.plane),
        bits(g.positive.data + p % g.positive.ring * g.positive.row + k),
        plane(g.dy.plane),
        column(g.positive.column) {}
  [[gnu::always_inline]] V at(int64_t i, int64_t q, int) const {
    return where_bit(bits[q * column + i], dy + i * plane + q * kLanes);
  }
  static int64_t rows(const LaneGradient& g) { return g.P; }
  static int64_t columns(const LaneGradient& g) { return g.Q; }
};

struct Pooled {
  const float* dy;
  const WinnerCode* winners;
  int64_t plane, winners_plane;
  int first;
  float scale;
  Pooled(const LaneGradient& g, int64_t k, int64_t p)
      : dy(g.dy.data + k * g.dy.plane + p / 2 * g.dy.row),
        winners(g.winners + (k * (g.P / 2) + p / 2) * (g.Q / 2) * kLanes),
        plane(g.dy.plane),
        winners_plane(g.P / 2 * (g.Q / 2) * kLanes),
        first(int(p % 2 * 2)),
        scale(g.scale) {}
  [[gnu::always_inline]] V at(int64_t i, int64_t q, int odd) const {
    return where_code(winners + i * winners_plane + q / 2 * kLanes, first + odd,
                      dy + i * plane + q / 2 * kLanes) *
           scale;
  }
  // An odd last row or column belongs to no window.
  static int64_t rows(const LaneGradient& g) { return g.P / 2 * 2; }
  static int64_t columns(const LaneGradient& g) { return g.Q / 2 * 2; }
};

/// Strides of x in floats, from the first tap of a block on.
struct Window {
  const float* x;
  int64_t row, step, tap_row, tap;  ///< dy's row to row and column to column; tap to tap
};

/// sums[i][r * S + t] += dy[k + i] * x[tap r, t], rows [p0, p1). kR rows of kS neighbouring taps.
template <class Source, int kF, int kR, int kS, bool kBias>
void block(const LaneGradient& g, const Window& window, int64_t k, int64_t p0, int64_t p1, float* sums,
           int64_t sums_filter, float* bias_sums) {
  V sum[kF][kR][kS], total[kF];
#pragma GCC unroll 8
  for (int i = 0; i < kF; ++i) {
    if (kBias) total[i] = load(bias_sums + i * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kR; ++r)
#pragma GCC unroll 8
      for (int t = 0; t < kS; ++t) sum[i][r][t] = load(sums + i * sums_filter + (r * kS + t) * kLanes);
  }
  const auto column = [&](const Source& source, const float* x, int64_t q, int odd)
      __attribute__((always_inline)) {
    V dy[kF];
#pragma GCC unroll 8
    for (int i = 0; i < kF; ++i) {
      dy[i] = source.at(i, q, odd);
      if (kBias) total[i] += dy[i];
    }
#pragma GCC unroll 8
    for (int r = 0; r < kR; ++r)
#pragma GCC unroll 8
      for (int t = 0; t < kS; ++t) {
        const V pixel = load(x + r * window.tap_row + t * window.tap);
#pragma GCC unroll 8
        for (int i = 0; i < kF; ++i) sum[i][r][t] += dy[i] * pixel;
      }
  };
  const int64_t Q = Source::columns(g);
  for (int64_t p = p0; p < p1; ++p) {
    const Source source(g, k, p);
    const float* x = window.x + p * window.row;
    int64_t q = 0;
    for (; q + 2 <= Q; q += 2, x += 2 * window.step) {
      column(source, x, q, 0);
      column(source, x + window.step, q + 1, 1);
    }
    if (q < Q) column(source, x, q, 0);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kF; ++i) {
    if (kBias) store(bias_sums + i * kLanes, total[i]);
#pragma GCC unroll 8
    for (int r = 0; r < kR; ++r)
#pragma GCC unroll 8
      for (int t = 0; t < kS; ++t) store(sums + i * sums_filter + (r * kS + t) * kLanes, sum[i][r][t]);
  }
}

/// The same for plain rows and one row of taps a column apart: a pixel is loaded once and stays for kS
/// columns.
template <int kF, int kS>
void sliding_block(const LaneGradient& g, const Window& window, int64_t k, int64_t p0, int64_t p1,
                   float* sums, int64_t sums_filter) {
  V sum[kF][kS];
#pragma GCC unroll 8
  for (int i = 0; i < kF; ++i)
#pragma GCC unroll 8
    for (int t = 0; t < kS; ++t) sum[i][t] = load(sums + i * sums_filter + t * kLanes);
  for (int64_t p = p0; p < p1; ++p) {
    const Plain source(g, k, p);
    const float* x = window.x + p * window.row;
    V pixel[kS] = {};
#pragma GCC unroll 8
    for (int t = 0; t + 1 < kS; ++t) pixel[t] = load(x + t * kLanes);
    x += (kS - 1) * kLanes;
    const auto column = [&](int64_t q, int j) __attribute__((always_inline)) {
      pixel[(j + kS - 1) % kS] = load(x + (q + j) * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kF; ++i) {
        const V dy = in_register(source.at(i, q + j, 0));
#pragma GCC unroll 8
        for (int t = 0; t < kS; ++t) sum[i][t] += dy * pixel[(j + t) % kS];
      }
    };
    int64_t q = 0;
    for (; q + kS <= g.Q; q += kS)
#pragma GCC unroll 8
      for (int j = 0; j < kS; ++j) column(q, j);
#pragma GCC unroll 8
    for (int j = 0; j + 1 < kS; ++j)
      if (q + j < g.Q) column(q, j);
  }
#pragma GCC unroll 8
  for (int i = 0; i < kF; ++i)
#pragma GCC unroll 8
    for (int t = 0; t < kS; ++t) store(sums + i * sums_filter + t * kLanes, sum[i][t]);
}

/// A block of taps of one channel, for some filters that read it.
struct Taps {
  Window window;
  int64_t k, K;
  float* sums;
  int64_t sums_filter;
  float* bias_sums;
};

/// t.K <= kF
template <class Source, int kF, int kR, int kS>
void filters(const LaneGradient& g, const Taps& t, int64_t p0, int64_t p1) {
  if constexpr (kF > 1)
    if (t.K < kF) return filters<Source, kF - 1, kR, kS>(g, t, p0, p1);
  float* sums = t.sums + t.k * t.sums_filter;
  if constexpr (std::is_same_v<Source, Plain> && kR == 1 && kS > 2)
    if (!t.bias_sums && t.window.step == kLanes && t.window.tap == kLanes)
      return sliding_block<kF, kS>(g, t.window, t.k, p0, p1, sums, t.sums_filter);
  if (t.bias_sums)
    block<Source, kF, kR, kS, true>(g, t.window, t.k, p0, p1, sums, t.sums_filter,
                                    t.bias_sums + t.k * kLanes);
  else
    block<Source, kF, kR, kS, false>(g, t.window, t.k, p0, p1, sums, t.sums_filter, nullptr);
}

#if defined(UNCIAL_SIMD_avx512)
constexpr int kNine = 2;                        // filters beside 3 x 3 taps
constexpr int kFilters[] = {0, 8, 8, 4, 4, 4};  // filters beside 1 to 5 taps
#else
constexpr int kNine = 1;
constexpr int kFilters[] = {0, 4, 2, 2, 2, 2};
#endif
constexpr int kMaxRow = 5;

template <class Source, int kS>
void run_of_taps(const LaneGradient& g, const Taps& t, int64_t count, int64_t p0, int64_t p1) {
  if constexpr (kS > 1)
    if (count < kS) return run_of_taps<Source, kS - 1>(g, t, count, p0, p1);
  filters<Source, kFilters[kS], 1, kS>(g, t, p0, p1);
}

bool nine_at_once(const LaneConvShape& s) { return s.R == 3 && s.S == 3; }
int64_t runs_of(const LaneConvShape& s) { return ceil_div(s.S, kMaxRow); }

template <class Source>
void all_sums(const LaneConvShape& s, const LaneImage& x, const LaneGradient& g, float* sums,
              float* bias_sums, int64_t begin, int64_t end) {
  const int64_t C = x.C / s.groups, K = g.dy.C, Kg = K / s.groups;
  const bool nine = nine_at_once(s);
  const int64_t run = ceil_div(s.S, runs_of(s));
  // When taps need several passes over dy, rows of it are taken that stay in L1 meanwhile.
  const int64_t passes = image_passes(s, x.C);
  const int64_t rows = passes == 1 ? g.P : larger(1, 6 * 1024 / (4 * larger(g.Q, 1) * kLanes));
  const int64_t most = nine ? kNine : kFilters[run];
  end = smaller(end, Source::rows(g));
  for (int64_t p0 = begin; p0 < end; p0 += rows)
    for (int64_t k = 0, count = 0; k < K; k += count) {
      const int64_t p1 = smaller(end, p0 + rows), left = Kg - k % Kg;
      count = ceil_div(left, ceil_div(left, most));  // no filter is left alone
      for (int64_t c = 0; c < C; ++c) {
        const float* pixels = x.data + (k / Kg * C + c) * x.plane - s.padding * (x.row + kLanes);
        Taps taps = {{pixels, s.stride * x.row, s.stride * kLanes, s.dilation * x.row, s.dilation * kLanes},
                     k,
                     count,
                     sums + c * s.R * s.S * kLanes,
                     C * s.R * s.S * kLanes,
                     c ? nullptr : bias_sums};
        if (nine) {
          filters<Source, kNine, 3, 3>(g, taps, p0, p1);
          continue;
        }
        for (int64_t r = 0; r < s.R; ++r)
          for (int64_t t = 0; t < s.S; t += run) {
            taps.window.x = pixels + r * taps.window.tap_row + t * taps.window.tap;
            taps.sums = sums + ((c * s.R + r) * s.S + t) * kLanes;
            run_of_taps<Source, kMaxRow>(g, taps, smaller(run, s.S - t), p0, p1);
            taps.bias_sums = nullptr;
          }
      }
    }
}

}  // namespace

int64_t image_passes(const LaneConvShape& s, int64_t C) {
  return C / s.groups * (nine_at_once(s) ? 1 : s.R * runs_of(s));
}

void image_weight_sums(const LaneConvShape& s, const LaneImage& x, const LaneGradient& dy, float* sums,
                       float* bias_sums, int64_t p0, int64_t p1) {
  if (dy.winners)
    all_sums<Pooled>(s, x, dy, sums, bias_sums, p0, p1);
  else if (dy.positive.data)
    all_sums<Marked>(s, x, dy, sums, bias_sums, p0, p1);
  else if (dy.relu_y)
    all_sums<Masked>(s, x, dy, sums, bias_sums, p0, p1);
  else
    all_sums<Plain>(s, x, dy, sums, bias_sums, p0, p1);
}

}  // namespace UNCIAL_SIMD
