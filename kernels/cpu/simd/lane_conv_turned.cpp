// Forward convolutions of few taps whose results come with the channels in the lanes: kLanes filters of one
// pixel are summed with the images in the lanes, and turned while they are in registers.

#include "lane_conv_parts.h"
#include "lane_transpose.h"

namespace UNCIAL_SIMD {

using uncial::cpu::kFewTaps;
using uncial::cpu::LaneBits;
using uncial::cpu::LaneTurnedRows;

namespace {

/// kLanes filters, those beyond K zero: weights of a tap side by side.
struct Filters {
  float weights[kFewTaps][kLanes], bias[kLanes];
  int64_t taps;
  int64_t offset[kFewTaps];  ///< of each tap's pixel

  [[gnu::noinline]] Filters(const LaneConvShape& s, const LaneImage& x, const float* w, const float* b,
                            int64_t K, int64_t k)
      : taps(x.C * s.R * s.S) {
    for (int64_t t = 0; t < taps; ++t) {
      offset[t] =
          t / (s.R * s.S) * x.plane + t / s.S % s.R * s.dilation * x.row + t % s.S * s.dilation * kLanes;
      for (int i = 0; i < kLanes; ++i) weights[t][i] = k + i < K ? w[(k + i) * taps + t] : 0;
    }
    for (int i = 0; i < kLanes; ++i) bias[i] = b && k + i < K ? b[k + i] : 0;
  }
};

/// One pixel: to[lane][channel], `channels` floats from lane to lane.
[[gnu::always_inline]] inline void pixel(const Filters& f, const float* x, V floor, float* to,
                                         int64_t channels, uint16_t* bits) {
  V sum[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) sum[i] = broadcast(f.bias[i]);
  for (int64_t t = 0; t < f.taps; ++t) {
    const V v = in_register(load(x + f.offset[t]));
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; ++i) sum[i] += f.weights[t][i] * v;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    sum[i] = larger_lanes(sum[i], floor);
    bits[i] = positive_lanes(sum[i]);
    asm("" : : : "memory");  // or the compiler gathers 16 results in a vector first
  }
  transpose_square(sum);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) store(to + i * channels, sum[i]);
}

void zero_columns(const LaneTurnedRows& y, float* row, int64_t q0, int64_t q1) {
  for (int64_t q = q0; q < q1; ++q)
    for (int64_t i = 0; i < kLanes; ++i) store(row + q * y.column + i * y.channels, V{});
}

}  // namespace

void turned_rows(const LaneConvShape& s, const LaneImage& x, const float* w, const float* bias, bool relu,
                 int64_t K, int64_t p0, int64_t p1, const LaneTurnedRows& y, const LaneBits& positive) {
  const int64_t P = (x.H + 2 * s.padding - s.dilation * (s.R - 1) - 1) / s.stride + 1,
                Q = (x.W + 2 * s.padding - s.dilation * (s.S - 1) - 1) / s.stride + 1;
  const V floor = broadcast(relu ? 0.0f : -__builtin_inff());
  for (int64_t k = 0; k < y.channels; k += kLanes) {
    const Filters filters(s, x, w, bias, K, k);
    for (int64_t p = p0; p < p1; ++p) {
      float* row = y.at_row(p) + k;
      if (p < 0 || p >= P) {
        zero_columns(y, row, 0, y.columns);
        continue;
      }
      const float* from = x.data + (p * s.stride - s.padding) * x.row - s.padding * kLanes;
      uint16_t ignored[kLanes];
      uint16_t* bits = positive.data ? positive.data + p % positive.ring * positive.row + k : ignored;
      const int64_t step = positive.data ? positive.column : 0;
      zero_columns(y, row, 0, y.before);
      for (int64_t q = 0; q < Q; ++q)
        pixel(filters, from + q * s.stride * kLanes, floor, row + (y.before + q) * y.column, y.channels,
              bits + q * step);
      zero_columns(y, row, y.before + Q, y.columns);
    }
  }
}

}  // namespace UNCIAL_SIMD
