#pragma once
/// @file winograd_products.h
/// The products at the 36 points, for all groups of a pass: where nine tenths of the time should go.

#include "winograd_layout.h"

namespace UNCIAL_SIMD::winograd {

/// The weight gradient's factor with the *channels* of x in the lanes (the output gradient is broadcast): so
/// its sums need no lanes. Vectors of channels form parts of up to kMostVectors, as tiles form groups, and a
/// panel is [part][point][tile, lane][vector of the part][channel in the vector].
///
/// Where channels fill no more than half a vector, it holds two images of each, side by side: [tile, pair of
/// lanes][channel, lane of the pair]. The output gradient is broadcast in pairs, too, and finish_weights()
/// adds both sums.
struct ChannelPanel {
  static constexpr bool paired(int64_t C) { return kLanes == 16 && C <= uncial::cpu::kPairedChannels; }
  /// Vectors a tile, point and vector of channels.
  static constexpr int positions(int64_t C) { return paired(C) ? kLanes / 2 : kLanes; }
  static int64_t vectors(int64_t C) { return round_up(C, kLanes) / kLanes; }
  /// A line more than its content, because 36 points at multiples of 2 KiB would share a few sets of level 1.
  static int64_t point_step(int part, int tiles) { return int64_t(part) * tiles * kLanes * kLanes + kLine; }
  static int64_t part_start(int64_t vector, int tiles) { return vector * kPoints * point_step(1, tiles); }
  static int64_t floats(int64_t C) { return part_start(vectors(C), kTiles); }
};

/// Sums of the weight gradient: [point][part][filter][vector of the part][channel in the vector].
struct SumsLayout {
  int64_t filters, channels;  ///< padded
  int64_t point;              ///< floats from point to point

  SumsLayout(int64_t C, int64_t K)
      : filters(round_up(K, kBlock)), channels(round_up(C, kLanes)), point(filters * channels) {}
  /// Of the part that begins at `vector` and has `count` vectors.
  int64_t offset_in_part(int64_t k, int64_t vector, int count) const {
    return (vector * filters + k * count) * kLanes;
  }
  int64_t offset(int64_t k, int64_t vector) const {
    const int64_t vectors = channels / kLanes;
    for (int64_t start = 0;;) {
      const int count = next_part<kMostVectors>(vectors - start);
      if (vector < start + count) return offset_in_part(k, start, count) + (vector - start) * kLanes;
      start += count;
    }
  }
};

/// m = u x at every point, for filters [k0, k1); k0 is a multiple of kBlock. Panels of a pass's groups follow
/// each other, here and below: g * panel_floats(C) floats for x.
void forward_products(const TilePass& pass, int64_t C, int64_t K, const float* u, const float* x, int64_t k0,
                      int64_t k1, float* m);
/// dx = u^T dy at every point.
void input_gradient_products(const TilePass& pass, int64_t C, int64_t K, const float* u, const float* dy,
                             float* dx);
/// sums += dy x^T at every point, x a ChannelPanel.
void weight_gradient_products(const TilePass& pass, int64_t C, int64_t K, const float* dy, const float* x,
                              float* sums);

template <int kEdge>
void transform_weights(const float* w, int64_t C, int64_t K, float* u, int64_t k0, int64_t k1);
template <int kEdge>
void finish_weights(int64_t C, int64_t K, const float* sums, float* dw, int64_t k0, int64_t k1);

}  // namespace UNCIAL_SIMD::winograd
