// Blocks for rows of neighbouring taps: a pixel is loaded once and meets all sums of its row that see it,
// through weights that stay in registers. Pixels known to be zero, beyond the edges, are left out: on small
// images that is a third of an input gradient.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

#if defined(UNCIAL_SIMD_avx512)
constexpr int kMostSums = 20;
#else
constexpr int kMostSums = 8;
#endif
// With fewer than four taps a sum would wait for its last multiply-add.
constexpr int kFewestTaps = 4, kMostTaps = 5;

/// Output o, results [q, q + kResults). kRows: rows of sums, 2 when pooled.
template <int kRows, int kResults, int kS>
void block(const GatherRow& g, int64_t o, int64_t q, GatherPart part) {
  constexpr int kP = kRows * kResults, kSeen = kP + kS - 1, kTurn = kRows == 2 ? kSeen : (kSeen + 1) / 2;
  V sum[kRows][kP];
  if (part.begin == 0) {
    const V first = broadcast(g.bias ? g.bias[o] : 0.0f);
#pragma GCC unroll 32
    for (int i = 0; i < kRows * kP; ++i) sum[i / kP][i % kP] = first;
  } else {
#pragma GCC unroll 32
    for (int i = 0; i < kRows * kP; ++i) sum[i / kP][i % kP] = load(part.partial + i * kLanes);
  }
  // Backwards when taps lie before one another.
  const bool back = g.tap < 0;
  const int64_t w_tap = back ? -g.w_tap : g.w_tap, below = g.below;
  const int64_t begin = g.seen_begin - kRows * q, end = g.seen_end - kRows * q;
  int64_t from = kRows * q * kLanes + part.begin * g.plane - (back ? (kS - 1) * kLanes : 0),
          weights = o * g.w_output + part.begin * g.w_channel + (back ? (kS - 1) * g.w_tap : 0);
  for (int64_t c = part.begin; c < part.end; ++c, from += g.plane, weights += g.w_channel)
    for (int64_t r = 0; r < g.R; ++r) {
      const float* x = in_register(g.rows[r] + from);
      const float* lower = in_register(kRows == 2 ? x + below : x);
      const float* w = g.w + g.w_rows[r] + weights;
      V weight[kS];
#pragma GCC unroll 8
      for (int t = 0; t < kS; ++t) weight[t] = broadcast(w[t * w_tap]);
        // From two places in turn: a sum waits for its last multiply-add.
#pragma GCC unroll 64
      for (int i = 0; i < 2 * kTurn; ++i) {
        const int row = kRows == 2 ? i % 2 : 0, seen = i / 2 + (kRows == 2 ? 0 : i % 2 * kTurn);
        if (seen >= kSeen) continue;
        if ((seen < kS - 1 || seen >= kP) && (seen < begin || seen >= end)) continue;
        const V pixel = load((row ? lower : x) + seen * kLanes);
#pragma GCC unroll 8
        for (int t = 0; t < kS; ++t)
          if (seen - t >= 0 && seen - t < kP) sum[row][seen - t] += weight[t] * pixel;
      }
    }
  if (part.end < g.channels) {
#pragma GCC unroll 32
    for (int i = 0; i < kRows * kP; ++i) store(part.partial + i * kLanes, sum[i / kP][i % kP]);
    return;
  }
  const V floor = broadcast(g.floor);
  float* y = g.y + o * g.y_output + q * g.y_step;
  if constexpr (kRows == 1) {
    if (g.skip) {
      const float* skip = g.skip + o * g.skip_output + q * kLanes;
#pragma GCC unroll 32
      for (int j = 0; j < kResults; ++j) sum[0][j] += load(skip + j * kLanes);
    }
#pragma GCC unroll 32
    for (int j = 0; j < kResults; ++j) store(y + j * g.y_step, larger_lanes(sum[0][j], floor));
  } else {
    WinnerCode ignored[kLanes];
    WinnerCode* codes = g.winners ? g.winners + o * g.winners_output + q * kLanes : ignored;
    const int64_t codes_step = g.winners ? kLanes : 0;
#pragma GCC unroll 16
    for (int j = 0; j < kResults; ++j) {
      const V *top = sum[0] + 2 * j, *bottom = sum[1] + 2 * j;
      store(y + j * g.y_step,
            pool_window(top[0], top[1], bottom[0], bottom[1], floor, codes + j * codes_step));
    }
  }
}

template <int kRows, int kS, int kResults = kMostSums / (kRows * kRows)>
GatherBlock block_of(int64_t results) {
  if constexpr (kResults > 1)
    if (results < kResults) return block_of<kRows, kS, kResults - 1>(results);
  return block<kRows, kResults, kS>;
}

}  // namespace

int64_t most_sliding(const GatherRow& g, bool pooled) {
  const bool fits =
      g.step == kLanes && (g.tap == kLanes || g.tap == -kLanes) && g.S >= kFewestTaps && g.S <= kMostTaps;
  return !fits ? 0 : pooled ? kMostSums / 4 : kMostSums;
}

GatherBlock sliding_block(const GatherRow& g, bool pooled, int64_t results) {
  if (g.S == kFewestTaps)
    return pooled ? block_of<2, kFewestTaps>(results) : block_of<1, kFewestTaps>(results);
  return pooled ? block_of<2, kMostTaps>(results) : block_of<1, kMostTaps>(results);
}

}  // namespace UNCIAL_SIMD
