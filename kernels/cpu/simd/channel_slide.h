#pragma once
/// @file channel_slide.h
/// The register block of one vector of filters and neighbouring taps of stride and dilation 1. A broadcast
/// pixel meets all outputs that see it, through weights that stay in registers: channel_block() would load a
/// pixel a multiply-add, and loads would be the limit.

#include "channel_block.h"

namespace UNCIAL_SIMD {
namespace {

// Pixels of a block and taps of a row, at most; with a broadcast pixel they fit the registers.
#if defined(UNCIAL_SIMD_avx512)
constexpr int kSlidePixels = 14;
#else
constexpr int kSlidePixels = 8;
#endif
constexpr int kSlideTaps = 5;

/// Taps [first, first + kS) of each of `rows` rows of S taps, in the order of Taps.
struct SlideTaps {
  const int32_t* offsets;
  int64_t rows, S, first;
};

/// Sums of kP pixels, kStep floats apart, that begin with values `distance` floats apart.
template <int kP, int kS, int kStep>
void slide_block(const SlideTaps& t, const float* x, const float* w, const float* start, int64_t distance,
                 bool with_relu, float* y) {
  constexpr int kSeen = kP + kS - 1, kHalf = (kSeen + 1) / 2;
  V sum[kP];
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p) sum[p] = load(start + p * distance);
  const int32_t *offset = t.offsets + t.first, *end = offset + t.rows * t.S;
  w += t.first * kLanes;
  for (const int64_t S = t.S; offset != end; offset += S, w += S * kLanes) {
    const float* from = x + *offset;
    V filter[kS];
#pragma GCC unroll 8
    for (int s = 0; s < kS; ++s) filter[s] = load(w + s * kLanes);
      // From two places in turn: a sum waits for its last multiply-add.
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kHalf; ++i) {
      const int seen = i / 2 + i % 2 * kHalf;
      if (seen >= kSeen) continue;
      const float pixel = from[seen * kStep];
#pragma GCC unroll 8
      for (int s = 0; s < kS; ++s)
        if (seen - s >= 0 && seen - s < kP) sum[seen - s] += pixel * filter[s];
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p) store(y + p * kLanes, with_relu ? relu(sum[p]) : sum[p]);
}

using SlideBlock = void (*)(const SlideTaps&, const float* x, const float* w, const float* start,
                            int64_t distance, bool with_relu, float* y);

template <int kS, int kStep, int... kP>
SlideBlock pick_slide(int64_t pixels, std::integer_sequence<int, kP...>) {
  static constexpr SlideBlock blocks[] = {slide_block<kP + 1, kS, kStep>...};
  return blocks[pixels - 1];
}

template <int kStep>
SlideBlock pick_slide(int64_t taps, int64_t pixels) {
  constexpr std::make_integer_sequence<int, kSlidePixels> all;
  switch (taps) {
    case 2:
      return pick_slide<2, kStep>(pixels, all);
    case 3:
      return pick_slide<3, kStep>(pixels, all);
    case 4:
      return pick_slide<4, kStep>(pixels, all);
    default:
      return pick_slide<5, kStep>(pixels, all);
  }
}

/// A row of outputs; S >= 2.
template <int kStep>
void slide_row(SlideTaps t, const float* x, const Split& pixels, const float* w, const Sums& to) {
  int64_t taps = 0;
  for (t.first = 0; t.first < t.S; t.first += taps) {
    const int64_t left = t.S - t.first;
    taps = left <= kSlideTaps ? left : left < 2 * kSlideTaps ? left / 2 : kSlideTaps;  // never a single one
    const float *from = x, *start = t.first == 0 ? to.bias : to.y;
    const int64_t distance = t.first == 0 ? 0 : kLanes;
    float* y = to.y;
    for (int part = 0; part < pixels.parts; ++part) {
      const int64_t count = pixels.size(part);
      pick_slide<kStep>(taps, count)(t, from, w, start, distance, taps == left && to.relu, y);
      from += count * kStep;
      start += count * distance;
      y += count * kLanes;
    }
  }
}

}  // namespace
}  // namespace UNCIAL_SIMD
