#pragma once
/// @file lane_conv_parts.h
/// What the direct convolutions (lane_conv.h) are made of. Each part is compiled for each instruction set.

#include "lane_codes.h"
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
constexpr int kLanes = Lanes<float>::count;
constexpr int64_t kMaxTaps = 11;  // of a filter's rows, and of its columns

[[maybe_unused]] inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
[[maybe_unused]] inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
/// Quotients of numbers that may be negative, b > 0.
[[maybe_unused]] inline int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
[[maybe_unused]] inline int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }

/// x in every lane. x - 0 is x, so this is one load; 0 + x is not for x = -0, so the compiler would add.
[[gnu::always_inline]] inline V broadcast(float x) { return x - V{}; }

/// Makes the compiler load a value that several sums use once; it would rather make it an operand of each.
[[gnu::always_inline]] inline V in_register(V v) {
#if defined(UNCIAL_SIMD_avx512)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#endif
  return v;
}

/// Makes the compiler keep an address as it is. Where a loop reads at p + i * a + j * b it would rather keep
/// a register for each j than one for p + i * a, and runs out of them.
[[gnu::always_inline]] inline const float* in_register(const float* p) {
  asm("" : "+r"(p));
  return p;
}

/// p[i * distance] for i < 8 with three registers: multiples of 1, 2 and 4 come with the addressing.
struct Spread {
  int64_t distance;
  const float *p, *third, *sixth;
  template <int kCount>
  [[gnu::always_inline]] static Spread of(const float* p, int64_t distance) {
    Spread s = {distance, in_register(p), nullptr, nullptr};
    if (kCount > 3) s.third = in_register(s.p + 3 * distance);
    if (kCount > 6) s.sixth = in_register(s.third + 3 * distance);
    return s;
  }
  [[gnu::always_inline]] float at(int i) const {
    const float* const near[] = {p, third, sixth};
    return near[i / 3][i % 3 * distance];
  }
};

}  // namespace

/// One row of outputs, each a sum over channels and taps: forward, and the input gradient of a residue class.
/// When pooled, two rows of sums and one of results: the unpooled image never exists. Strides count floats.
struct GatherRow {
  int64_t outputs, columns;     ///< filters (or channels of dx), and how many results of each
  int64_t channels;             ///< that are summed
  int64_t R, S;                 ///< taps; R may be 0: all sums are 0
  const float* rows[kMaxTaps];  ///< channel 0 of the input for each row of taps, at the first sum's first tap
  int64_t w_rows[kMaxTaps];     ///< the weights of each row of taps, from w
  int64_t plane, step, tap;     ///< input: from channel to channel, sum to sum, tap to tap
  int64_t below;                ///< input: from the upper row of sums to the lower one, when pooled
  int64_t seen_begin,
      seen_end;  ///< input columns that may not be zero, counted from the first that any tap reads
  const float* w;
  int64_t w_output, w_channel, w_tap;
  const float* bias;  ///< (outputs) or null
  float floor;        ///< results are not less: 0 for ReLU, or minus infinity
  float* y;
  int64_t y_output, y_step;
  bool stream;        ///< past the caches, see LaneEpilogue
  const float* skip;  ///< added to the results, one vector apart, or null; not when pooled
  int64_t skip_output;
  WinnerCode* winners;  ///< of the first result, or null
  int64_t winners_output;
};

/// Sums over channels [begin, end) that wait for the other channels in `partial`.
struct GatherPart {
  int64_t begin, end;
  float* partial;
};
/// The two loops around the rows of taps: channels outside and the taps of a row inside or, where a row has
/// one tap, channels inside.
struct GatherLoops {
  int64_t outer, inner, x_step, w_step;
  GatherLoops(const GatherRow& g, const GatherPart& part)
      : outer(g.S == 1 ? 1 : part.end - part.begin),
        inner(g.S == 1 ? part.end - part.begin : g.S),
        x_step(g.S == 1 ? g.plane : g.tap),
        w_step(g.S == 1 ? g.w_channel : g.w_tap) {}
};
/// Calls tap(pixel, weight) for all taps of the channels of `part`, pixels from `first` on in each row of
/// taps, weights of output o. kTaps: taps of a row, or 0 where the number is not known.
template <int kTaps, class Tap>
[[gnu::always_inline]] inline void for_taps(const GatherRow& g, const GatherPart& part, int64_t o,
                                            int64_t first, const Tap& tap) {
  const GatherLoops loops(g, part);
  int64_t from = first + part.begin * g.plane, weights = o * g.w_output + part.begin * g.w_channel;
  for (int64_t n = 0; n < loops.outer; ++n, from += g.plane, weights += g.w_channel)
    for (int64_t r = 0; r < g.R; ++r) {
      const float* x = g.rows[r] + from;
      const float* w = g.w + g.w_rows[r] + weights;
      if constexpr (kTaps > 0) {
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; ++t) tap(x + t * loops.x_step, w + t * loops.w_step);
      } else {
        for (int64_t t = 0; t < loops.inner; ++t, x += loops.x_step, w += loops.w_step) tap(x, w);
      }
    }
}

/// Computes a block of outputs from o and of results from q.
using GatherBlock = void (*)(const GatherRow& row, int64_t o, int64_t q, GatherPart part);

/// Blocks of `outputs` x up to `most` results; of_width(n) computes n, for rows of any number of taps or of
/// 3: leaving a loop of 3 turns costs a tenth of the time.
struct GatherShape {
  int64_t outputs, most;
  GatherBlock (*of_width)(int64_t columns);
  GatherBlock (*of_width_3)(int64_t columns);
};
constexpr int kGatherShapes = 4;
/// [whether the inputs of two sums are one vector apart]
extern const GatherShape plain_blocks[2][kGatherShapes], pooled_blocks[2][kGatherShapes];

/// Blocks of one output whose pixels meet all taps of a row at once: the most results of one, 0 when the row
/// is not of that kind.
int64_t most_sliding(const GatherRow& row, bool pooled);
GatherBlock sliding_block(const GatherRow& row, bool pooled, int64_t results);

/// How a row is cut: the block with the least estimated time, and as many channels at once as L1 holds.
struct GatherPlan {
  GatherBlock block;
  int64_t outputs, columns, channels, cost;
  bool pooled, outputs_first;
};
GatherPlan plan_gather(const GatherRow& row, bool pooled);
void gather_row(const GatherRow& row, const GatherPlan& plan);

/// Row p of filters [k0, k0 + K) of a gradient, ReLU and pooling undone, to out (K planes of Q vectors); adds
/// to bias_sums [K][lanes] unless null.
void expand_row(const LaneGradient& g, int64_t k0, int64_t K, int64_t p, float* out, int64_t plane,
                float* bias_sums);

void turned_rows(const LaneConvShape& s, const LaneImage& x, const float* w, const float* bias, bool relu,
                 int64_t K, int64_t p0, int64_t p1, const uncial::cpu::LaneTurnedRows& y,
                 const uncial::cpu::LaneBits& positive);

/// Rows of an image in a ring of `count` places: row i lies at data + i mod count * row.
struct RowRing {
  float* data;
  int64_t count, row, plane;  ///< floats from row to row, from channel to channel
  float* at(int64_t i) const { return data + (i - floor_div(i, count) * count) * row; }
};

/// Whether depthwise_gradients() takes a convolution, and both gradients of one; workspace as for the others.
bool depthwise(const LaneConvShape& s, int64_t C, int64_t K);
void depthwise_gradients(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneGradient& dy,
                         float* sums, float* bias_sums, const LaneImage& dx, float* workspace);

/// How a weight gradient is summed: with the images in the lanes (C / groups * R * S * lanes sums a filter),
/// or with the channels in the lanes, after a transposition of x (no lane sums, and lanes times fewer of
/// them).
bool channels_in_lanes(const LaneConvShape& s, int64_t C);

/// Images in the lanes: rows [p0, p1) of dy.
void image_weight_sums(const LaneConvShape& s, const LaneImage& x, const LaneGradient& dy, float* sums,
                       float* bias_sums, int64_t p0, int64_t p1);
/// How often that reads dy.
int64_t image_passes(const LaneConvShape& s, int64_t C);
/// Channels in the lanes: rows [p0, p1) of dy, which `dy` holds; at most kRowsAtOnce. Called for all rows
/// from the first one on; `turned` keeps transposed rows of x from call to call.
constexpr int64_t kRowsAtOnce = 8;
void channel_weight_sums(const LaneConvShape& s, const LaneImage& x, const RowRing& dy, int64_t K, int64_t Q,
                         int64_t p0, int64_t p1, const RowRing& turned, float* sums);
/// Floats of one transposed row of x.
int64_t turned_row_floats(const LaneConvShape& s, int64_t C, int64_t W);

}  // namespace UNCIAL_SIMD
