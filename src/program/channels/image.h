#pragma once
/// @file image.h
/// Values of a planned program with the channels in the lanes (kernels/cpu/simd/channel_conv.h). Internal.

#include <deque>

#include "program/halo.h"
#include "program/stage.h"
#include "simd/channel_conv.h"
#include "simd/channel_dense.h"
#include "simd/lane_layout.h"
#include "simd/lane_pool.h"
#include "uncial/core/shape.h"

namespace uncial::program::channels {

/// Kernels of the instruction set that was current when the program was planned.
struct Kernels {
  const cpu::ChannelConvSimd& conv = cpu::channel_conv_simd();
  const cpu::ChannelWinogradSimd& winograd = cpu::channel_winograd_simd();
  const cpu::ChannelDenseSimd& dense = cpu::channel_dense_simd();
  const cpu::LanePoolSimd& pool = cpu::lane_pool_simd();
  const cpu::LaneLayoutSimd& layout = cpu::lane_layout_simd();
  int64_t lanes = layout.lanes;
  int64_t vectors(int64_t channels) const { return ceil_div(channels, lanes); }
};

/// C channels of H x W pixels a sample, with the halo around them; samples lie one after the other.
struct Image {
  int64_t C = 0, H = 0, W = 0;
  Halo halo;
  bool in_lanes = true;  ///< false: row-major planes, for the sake of the halo
  Block block = Block::unused(0);

  int64_t rows() const { return halo.before + H + halo.below; }
  int64_t columns() const { return halo.before + W + halo.behind; }
};

/// All images of a program, and what they share.
struct Table {
  Kernels kernels;
  int64_t samples = 0;  ///< N
  std::deque<Image> images;

  int64_t step(const Image& x) const { return x.in_lanes ? kernels.lanes : 1; }
  int64_t planes(const Image& x) const { return x.in_lanes ? kernels.vectors(x.C) : x.C; }
  int64_t sample_floats(const Image& x) const { return planes(x) * x.rows() * x.columns() * step(x); }
  float* memory(const Runtime& runtime, int image) const {
    return reinterpret_cast<float*>(runtime.arena + images[size_t(image)].block.offset);
  }
  /// Sample n; planes are vectors of channels (or channels, when not in lanes).
  cpu::LaneImage view(const Runtime& runtime, int image, int64_t n) const {
    const Image& x = images[size_t(image)];
    const int64_t row = x.columns() * step(x);
    float* first = memory(runtime, image) + n * sample_floats(x);
    return {first + x.halo.before * (row + step(x)), planes(x), x.H, x.W, x.rows() * row, row};
  }
  void clear_halo(const Runtime& runtime, int image, int64_t n) const {
    const Halo& h = images[size_t(image)].halo;
    if (!h.none()) kernels.layout.clear_halo(view(runtime, image, n), h.before, h.below, h.behind);
  }
};

}  // namespace uncial::program::channels
