#pragma once
/// @file channel_pairs.h
/// The register block of so few filters that two neighbouring pixels share a vector: channels of the one in
/// its lower half, of the other in its upper half. A broadcast pixel meets both through a vector of two
/// neighbouring taps, [w[t] | w[t - 1]], so that S taps of two outputs take S + 1 multiply-adds.

#include "channel_slide.h"

namespace UNCIAL_SIMD {
namespace {

constexpr int kHalf = kLanes / 2;

/// Whether the filters of a convolution, or the last of them, are computed like this.
inline bool in_pairs(const ChannelConvShape& s, bool in_lanes) {
  const int64_t rest = s.K % (2 * kLanes);
  return !in_lanes && rest > 0 && rest <= kHalf && s.shape.stride == 1 && s.shape.dilation == 1 &&
         s.shape.S > 1 && s.shape.S <= kSlideTaps && s.Q > 1;
}

template <int... I>
[[gnu::always_inline]] inline V lower_twice(V v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, (I % kHalf)...);
}
template <int... I>
[[gnu::always_inline]] inline V upper_twice(V v, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(v, v, (kHalf + I % kHalf)...);
}
constexpr std::make_integer_sequence<int, kLanes> kEachLane;

/// 2 * kP outputs; `rows` rows of kS + 1 vectors of taps in w.
template <int kP, int kS>
void pairs_block(const int32_t* offset, int64_t rows, const float* x, const float* w, const Sums& to) {
  constexpr int kSeen = 2 * kP + kS - 1, kTurn = (kSeen + 1) / 2;
  const V start = lower_twice(load(to.bias), kEachLane);
  V sum[kP];
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p) sum[p] = start;
  for (const int32_t* end = offset + rows * kS; offset != end; offset += kS, w += (kS + 1) * kLanes) {
    const float* from = x + *offset;
    V filter[kS + 1];
#pragma GCC unroll 8
    for (int s = 0; s <= kS; ++s) filter[s] = load(w + s * kLanes);
      // From two places in turn: a sum waits for its last multiply-add.
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kTurn; ++i) {
      const int seen = i / 2 + i % 2 * kTurn;
      if (seen >= kSeen) continue;
      const float pixel = from[seen];
#pragma GCC unroll 16
      for (int p = 0; p < kP; ++p)
        if (seen - 2 * p >= 0 && seen - 2 * p <= kS) sum[p] += pixel * filter[seen - 2 * p];
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p) {
    const V both = to.relu ? relu(sum[p]) : sum[p];
    store(to.y + 2 * p * kLanes, both);
    store(to.y + (2 * p + 1) * kLanes, upper_twice(both, kEachLane));
  }
}

using PairsBlock = void (*)(const int32_t* offset, int64_t rows, const float* x, const float* w, const Sums&);

template <int kS, int... kP>
PairsBlock pick_pairs(int64_t pairs, std::integer_sequence<int, kP...>) {
  static constexpr PairsBlock blocks[] = {pairs_block<kP + 1, kS>...};
  return blocks[pairs - 1];
}

inline PairsBlock pick_pairs(int64_t taps, int64_t pairs) {
  constexpr std::make_integer_sequence<int, kSlidePixels> all;
  switch (taps) {
    case 2:
      return pick_pairs<2>(pairs, all);
    case 3:
      return pick_pairs<3>(pairs, all);
    case 4:
      return pick_pairs<4>(pairs, all);
    default:
      return pick_pairs<5>(pairs, all);
  }
}

/// A row of outputs, `pairs` being those of whole pairs; an odd last one is computed with its neighbour,
/// which is computed twice.
inline void pairs_row(const SlideTaps& t, const float* x, int64_t pixels, const Split& pairs, const float* w,
                      const Sums& to) {
  Sums out = to;
  for (int part = 0; part < pairs.parts; ++part) {
    const int64_t count = pairs.size(part);
    pick_pairs(t.S, count)(t.offsets, t.rows, x, w, out);
    x += 2 * count;
    out.y += 2 * count * kLanes;
  }
  if (pixels % 2 == 0) return;
  out.y -= kLanes;
  pick_pairs(t.S, 1)(t.offsets, t.rows, x - 1, w, out);
}

/// Taps of a row for the last K % (2 * kLanes) filters: kS + 1 vectors from tap(filter, s).
template <class Tap>
float* pack_pairs(int64_t k, int64_t K, int64_t S, float* to, const Tap& tap) {
  for (int64_t t = 0; t <= S; ++t)
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t filter = k + l % kHalf, s = t - l / kHalf;
      *to++ = filter < K && s >= 0 && s < S ? tap(filter, s) : 0.0f;
    }
  return to;
}

}  // namespace
}  // namespace UNCIAL_SIMD
