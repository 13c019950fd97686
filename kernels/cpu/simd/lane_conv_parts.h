#pragma once
/// @file lane_conv_parts.h
/// What the direct convolutions (lane_conv.h) are made of. Each part is compiled for each instruction set.

#include "lane_conv.h"
#include "lanes.h"

namespace UNCIAL_SIMD {

using uncial::cpu::LaneConvShape;
using uncial::cpu::LaneEpilogue;
using uncial::cpu::LaneGradient;
using uncial::cpu::LaneImage;
using uncial::cpu::WinnerCode;

namespace {

using V = Lanes<float>::V;
using Codes = Lanes<int32_t>::V;  // a winner code, or a comparison, for each lane
constexpr int kLanes = Lanes<float>::count;
constexpr int64_t kMaxTaps = 11;  // of a filter's rows, and of its columns

[[maybe_unused]] inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
[[maybe_unused]] inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
/// Quotients of numbers that may be negative, b > 0.
[[maybe_unused]] inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
[[maybe_unused]] inline int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }

/// Winner codes in memory are bytes.
typedef WinnerCode CodeBytes __attribute__((vector_size(kLanes), aligned(1), may_alias));
[[gnu::always_inline]] inline Codes load_codes(const WinnerCode* p) {
  return __builtin_convertvector(*reinterpret_cast<const CodeBytes*>(p), Codes);
}
[[gnu::always_inline]] inline void store_codes(WinnerCode* p, Codes codes) {
  *reinterpret_cast<CodeBytes*>(p) = __builtin_convertvector(codes, CodeBytes);
}

/// NaN passes.
[[gnu::always_inline]] inline V relu(V x) {
  const V zero{};
  return zero > x ? zero : x;
}

}  // namespace

/// One row of outputs, each a sum over channels and taps: forward, and the input gradient of a residue class.
/// Strides count floats.
struct GatherRow {
  int64_t outputs, columns;  ///< filters (or channels of dx), and how many columns
  int64_t channels;          ///< that are summed
  int64_t R, S;              ///< taps; R may be 0: all sums are 0
  const float*
      rows[kMaxTaps];        ///< channel 0 of the input for each row of taps, at the first output's first tap
  int64_t w_rows[kMaxTaps];  ///< the weights of each row of taps, from w
  int64_t plane, step, tap;  ///< input: from channel to channel, output to output, tap to tap
  const float* w;
  int64_t w_output, w_channel, w_tap;
  const float* bias;  ///< (outputs) or null
  bool relu;
  float* y;
  int64_t y_output, y_step;
};
void gather_row(const GatherRow& row);

/// Two rows of outputs, then 2x2 max pooling: the unpooled image never exists.
struct PooledRow {
  GatherRow top;           ///< y and columns count windows; the windows' steps are 2 * top.step
  int64_t below;           ///< input: from the upper row of outputs to the lower one
  WinnerCode* winners;     ///< or null
  int64_t winners_output;  ///< from filter to filter
};
void pooled_row(const PooledRow& row);

/// Row p of filters [k0, k0 + K) of a gradient, ReLU and pooling undone, to out (K planes of Q vectors); adds
/// to bias_sums [K][lanes] unless null.
void expand_row(const LaneGradient& g, int64_t k0, int64_t K, int64_t p, float* out, int64_t plane,
                float* bias_sums);

/// Rows of an image in a ring of `count` places: row i lies at data + i mod count * row.
struct RowRing {
  float* data;
  int64_t count, row, plane;  ///< floats from row to row, from channel to channel
  float* at(int64_t i) const { return data + (i - floor_div(i, count) * count) * row; }
};

/// How a weight gradient is summed: with the images in the lanes (C / groups * R * S * lanes sums a filter),
/// or with the channels in the lanes, after a transposition of x (no lane sums, and lanes times fewer of
/// them).
bool channels_in_lanes(const LaneConvShape& s, int64_t C);

/// Images in the lanes: all of P x Q.
void image_weight_sums(const LaneConvShape& s, const LaneImage& x, const LaneGradient& dy, int64_t K,
                       float* sums, float* bias_sums);
/// Channels in the lanes: rows [p0, p1) of dy, which `dy` holds; at most kRowsAtOnce. Called for all rows
/// from the first one on; `turned` keeps transposed rows of x from call to call.
constexpr int64_t kRowsAtOnce = 8;
void channel_weight_sums(const LaneConvShape& s, const LaneImage& x, const RowRing& dy, int64_t K, int64_t Q,
                         int64_t p0, int64_t p1, const RowRing& turned, float* sums);
/// Floats from filter to filter... of one group's sums.
int64_t turned_row_floats(const LaneConvShape& s, int64_t C, int64_t W);

}  // namespace UNCIAL_SIMD
