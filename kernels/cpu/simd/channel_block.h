#pragma once
/// @file channel_block.h
/// The register block of convolutions with the channels in the lanes: some neighbouring pixels times one or
/// two vectors of filters.

#include "channel_conv.h"
#include "lanes.h"
#include "largest.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::ChannelConvShape;
using uncial::cpu::ChannelSource;
using uncial::cpu::LaneEpilogue;
using uncial::cpu::LaneImage;
using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;

// Pixels of a block for one and for two vectors of filters: with the filters' vectors, and a broadcast pixel
// where there are no broadcasting operands, they fill the registers.
#if defined(UNCIAL_SIMD_avx512)
constexpr int kMostPixels[2] = {14, 14};
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kMostPixels[2] = {12, 6};
#else
constexpr int kMostPixels[2] = {8, 5};
#endif

constexpr int64_t vectors_of(int64_t channels) { return (channels + kLanes - 1) / kLanes; }
[[maybe_unused]] constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/// NaN passes.
[[gnu::always_inline]] inline V relu(V x) { return V{} > x ? V{} : x; }

/// What is summed for a pixel: floats at these distances from its first. One list instead of loops over
/// planes, rows and columns: those of small filters are short, and their ends cost more than a load a tap.
struct Taps {
  const int32_t* offsets;
  int64_t count;
};

/// Where sums begin and go.
struct Sums {
  const float* bias;  ///< of the first filter
  bool relu;
  float* y;  ///< pixels are kLanes apart
  int64_t plane;
};

/// sums of kP pixels, kStep floats apart (`step` for kStep 0), and kV vectors of filters.
template <int kP, int kV, int kStep>
void channel_block(const Taps& t, const float* x, int64_t step, const float* w, const Sums& to) {
  const int64_t distance = kStep ? kStep : step;
  const Sums out = to;  // read once: stores might change it
  V sum[kP][kV];
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p)
#pragma GCC unroll 2
    for (int v = 0; v < kV; ++v) sum[p][v] = load(out.bias + v * kLanes);
  for (int64_t i = 0; i < t.count; ++i, w += kV * kLanes) {
    const float* from = x + t.offsets[i];
    V filter[kV];
#pragma GCC unroll 2
    for (int v = 0; v < kV; ++v) filter[v] = load(w + v * kLanes);
#pragma GCC unroll 16
    for (int p = 0; p < kP; ++p) {
      const float pixel = from[p * distance];
#pragma GCC unroll 2
      for (int v = 0; v < kV; ++v) sum[p][v] += pixel * filter[v];
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < kP; ++p)
#pragma GCC unroll 2
    for (int v = 0; v < kV; ++v)
      store(out.y + v * out.plane + p * kLanes, out.relu ? relu(sum[p][v]) : sum[p][v]);
}

using ChannelBlock = void (*)(const Taps&, const float* x, int64_t step, const float* w, const Sums&);

template <int kV, int kStep, int... kP>
ChannelBlock pick_block(int64_t pixels, std::integer_sequence<int, kP...>) {
  static constexpr ChannelBlock blocks[] = {channel_block<kP + 1, kV, kStep>...};
  return blocks[pixels - 1];
}

/// Parts of nearly the same size, none above a bound.
struct Split {
  int parts, shorter, longer;  ///< so many have one more
  Split(int64_t size, int most)
      : parts((int(size) + most - 1) / most),
        shorter(int(size) / parts),
        longer(int(size) - parts * shorter) {}
  int64_t size(int part) const { return shorter + (part < longer); }
};

/// A row of outputs.
template <int kV, int kStep>
void channel_row(const Taps& t, const float* x, int64_t step, const Split& pixels, const float* w, Sums to) {
  const int64_t distance = kStep ? kStep : step;
  for (int part = 0; part < pixels.parts; ++part) {
    const int64_t count = pixels.size(part);
    pick_block<kV, kStep>(count, std::make_integer_sequence<int, kMostPixels[kV - 1]>())(t, x, step, w, to);
    x += count * distance;
    to.y += count * kLanes;
  }
}

}  // namespace
}  // namespace UNCIAL_SIMD
