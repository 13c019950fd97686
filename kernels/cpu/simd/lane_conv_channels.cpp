// The weight gradient with channels in the lanes: rows of x are transposed once (lanes <-> channels), then a
// block of filters x taps stays in registers over the images and columns of a few rows, dy by broadcast.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

#if defined(UNCIAL_SIMD_avx512)
constexpr int kFilters = 8, kTaps = 3;  // 24 sums, 11 loads for 24 multiply-adds
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kFilters = 4, kTaps = 3;
#else
constexpr int kFilters = 4, kTaps = 2;
#endif

template <class = std::make_integer_sequence<int, kLanes>>
struct Interleave;
template <int... I>
struct Interleave<std::integer_sequence<int, I...>> {
  [[gnu::always_inline]] static V low(V a, V b) {
    return __builtin_shufflevector(a, b, (I / 2 + I % 2 * kLanes)...);
  }
  [[gnu::always_inline]] static V high(V a, V b) {
    return __builtin_shufflevector(a, b, (kLanes / 2 + I / 2 + I % 2 * kLanes)...);
  }
};

/// out[lane of x][channel] = x[channel][lane]; channels from `channels` on are 0.
[[gnu::always_inline]] inline void transpose(const float* x, int64_t plane, int64_t channels, float* out) {
  V v[2][kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) v[0][i] = i < channels ? load(x + i * plane) : V{};
  // Each round interleaves row i with row i + lanes / 2; after log2(lanes) of them rows are columns.
  int from = 0;
#pragma GCC unroll 4
  for (int round = 1; round < kLanes; round *= 2, from ^= 1)
#pragma GCC unroll 8
    for (int i = 0; i < kLanes / 2; ++i) {
      v[from ^ 1][2 * i] = Interleave<>::low(v[from][i], v[from][i + kLanes / 2]);
      v[from ^ 1][2 * i + 1] = Interleave<>::high(v[from][i], v[from][i + kLanes / 2]);
    }
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) store(out + i * kLanes, v[from][i]);
}

/// Row h of x with its halo, to `turned`: [group][vector of channels][column][lane of x][channel].
void turn_row(const LaneConvShape& s, const LaneImage& x, int64_t h, const RowRing& turned) {
  const int64_t C = x.C / s.groups, W = x.W + 2 * s.padding;
  float* out = turned.at(h);
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t c = 0; c < C; c += kLanes) {
      const float* in = x.data + (g * C + c) * x.plane + h * x.row - s.padding * kLanes;
      if (C - c >= kLanes)
        for (int64_t q = 0; q < W; ++q, out += kLanes * kLanes)
          transpose(in + q * kLanes, x.plane, kLanes, out);
      else
        for (int64_t q = 0; q < W; ++q, out += kLanes * kLanes)
          transpose(in + q * kLanes, x.plane, C - c, out);
    }
}

/// Operands of a block: rows of dy, and for each of them the first pixel of each tap.
struct Rows {
  int64_t count, columns, plane, step;  ///< dy from filter to filter; transposed x from column to column
  const float* dy[kRowsAtOnce];
  const float* x[kRowsAtOnce][kTaps];
};

/// sums[tap][filter] += dy[filter] * x[tap] over columns and images.
template <int kF, int kT>
void block(const Rows& rows, int64_t k, float* sums, int64_t sums_tap) {
  V sum[kF][kT];
#pragma GCC unroll 8
  for (int i = 0; i < kF; ++i)
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) sum[i][t] = load(sums + t * sums_tap + i * kLanes);
  for (int64_t p = 0; p < rows.count; ++p) {
    const float* d = rows.dy[p] + k * rows.plane;
    for (int64_t q = 0; q < rows.columns; ++q) {
      const float* x[kT];
#pragma GCC unroll 8
      for (int t = 0; t < kT; ++t) x[t] = rows.x[p][t] + q * rows.step;
      for (int64_t n = 0; n < kLanes; ++n, ++d) {
        V pixel[kT];
#pragma GCC unroll 8
        for (int t = 0; t < kT; ++t) pixel[t] = load(x[t] + n * kLanes);
#pragma GCC unroll 8
        for (int i = 0; i < kF; ++i) {
          const float dy = d[i * rows.plane];
#pragma GCC unroll 8
          for (int t = 0; t < kT; ++t) sum[i][t] += dy * pixel[t];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kF; ++i)
#pragma GCC unroll 8
    for (int t = 0; t < kT; ++t) store(sums + t * sums_tap + i * kLanes, sum[i][t]);
}

/// All filters [k, K) in blocks of kF, the rest in blocks of half the size.
template <int kF, int kT>
void filters(const Rows& rows, int64_t k, int64_t K, float* sums, int64_t sums_tap) {
  for (; k + kF <= K; k += kF) block<kF, kT>(rows, k, sums + k * kLanes, sums_tap);
  if constexpr (kF > 1)
    if (k < K) filters<kF / 2, kT>(rows, k, K, sums, sums_tap);
}

template <int kT>
void taps(int64_t count, const Rows& rows, int64_t K, float* sums, int64_t sums_tap) {
  if constexpr (kT > 1)
    if (count < kT) return taps<kT - 1>(count, rows, K, sums, sums_tap);
  filters<kFilters, kT>(rows, 0, K, sums, sums_tap);
}

}  // namespace

bool channels_in_lanes(const LaneConvShape& s, int64_t C) {
  return C / s.groups >= uncial::cpu::kManyChannels;
}

int64_t turned_row_floats(const LaneConvShape& s, int64_t C, int64_t W) {
  return s.groups * ceil_div(C / s.groups, kLanes) * (W + 2 * s.padding) * kLanes * kLanes;
}

void channel_weight_sums(const LaneConvShape& s, const LaneImage& x, const RowRing& dy, int64_t K, int64_t Q,
                         int64_t p0, int64_t p1, const RowRing& turned, float* sums) {
  // Rows of x that are needed now and were not for the rows of dy before p0.
  const int64_t reach = (s.R - 1) * s.dilation, first = p0 * s.stride - s.padding,
                last = (p1 - 1) * s.stride - s.padding + reach,
                known = p0 ? (p0 - 1) * s.stride - s.padding + reach + 1 : first;
  for (int64_t h = larger(first, known); h <= last; ++h) turn_row(s, x, h, turned);

  const int64_t vectors = ceil_div(x.C / s.groups, kLanes), per_group = vectors * s.R * s.S,
                Kg = K / s.groups;
  Rows rows = {p1 - p0, Q, dy.plane, s.stride * kLanes * kLanes, {}, {}};
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t p = p0; p < p1; ++p) rows.dy[p - p0] = dy.at(p) + g * Kg * dy.plane;
    for (int64_t first_tap = 0; first_tap < per_group; first_tap += kTaps) {
      const int64_t count = smaller(kTaps, per_group - first_tap);
      for (int64_t t = 0; t < count; ++t) {
        const int64_t tap = first_tap + t, v = tap / (s.R * s.S), r = tap / s.S % s.R, column = tap % s.S;
        for (int64_t p = p0; p < p1; ++p)
          rows.x[p - p0][t] = turned.at(p * s.stride - s.padding + r * s.dilation) +
                              (g * vectors + v) * turned.plane + column * s.dilation * kLanes * kLanes;
      }
      taps<kTaps>(count, rows, Kg, sums + (g * per_group + first_tap) * Kg * kLanes, Kg * kLanes);
    }
  }
}

}  // namespace UNCIAL_SIMD
