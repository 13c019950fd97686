#pragma once
/// @file tile_gather.h
/// Sums of convolutions on the matrix unit: packed rows of pixels, and outputs that gather from them. Each
/// file of this folder is compiled for the unit and for its emulation.

#include "simd/lane_conv_parts.h"
#include "tile_conv.h"
#include "tile_ops.h"

namespace UNCIAL_SIMD {
namespace {

constexpr int64_t kPairBytes = kRowBytes;  // two channels of a pixel, 16 images
constexpr int64_t kMaxRuns = kMaxTaps * kMaxTaps;

[[gnu::always_inline]] [[maybe_unused]] inline V relu_of(V v) { return V{} > v ? V{} : v; }
[[maybe_unused]] inline int64_t even(int64_t channels) { return channels + channels % 2; }
[[maybe_unused]] inline int64_t tiles_of(int64_t extent) { return ceil_div(extent, kTileSide); }

/// The taps of a filter over `channels`, cut into runs whose factors lie side by side in a packed row: a row
/// of taps each, or single taps where dilation leaves gaps.
struct Runs {
  int64_t R, S;            ///< runs
  int64_t taps, channels;  ///< of one
  int64_t blocks;          ///< tiles that cover its factors

  Runs(const LaneConvShape& s, int64_t channels_in)
      : R(s.R),
        S(s.dilation == 1 ? 1 : s.S),
        taps(s.dilation == 1 ? s.S : 1),
        channels(even(channels_in)),
        blocks(ceil_div(taps * channels, kTileDepth)) {}
  int64_t count() const { return R * S; }
  int64_t bytes() const { return blocks * kTileBytes; }
  int64_t tile_bytes() const { return count() * bytes(); }  ///< weights of 16 outputs
};

/// Rows of pixels in a ring: [row][column][channel pair][16 images][2] in bfloat16, zeros behind each row as
/// far as a run's last tile may reach.
struct PackedRows {
  char* data;
  int64_t ring, columns, channels;

  int64_t pixel_bytes() const { return even(channels) / 2 * kPairBytes; }
  int64_t row_bytes() const { return columns * pixel_bytes() + kTileBytes; }
  int64_t bytes() const { return (ring + 1) * row_bytes(); }
  char* row(int64_t h) const { return data + (h - floor_div(h, ring) * ring) * row_bytes(); }
  /// A row of zeros, which nobody writes.
  const char* no_row() const { return data + ring * row_bytes(); }
  void clear() const { __builtin_memset(data, 0, size_t(bytes())); }
  /// Packs `count` pixels, `step` columns apart from `column` on; the first channel of the first is at x.
  void pack(int64_t h, int64_t column, int64_t step, const float* x, int64_t plane, int64_t count) const {
    char* to = row(h) + column * pixel_bytes();
    for (int64_t c = 0; c < channels; c += 2, x += 2 * plane, to += kPairBytes)
      for (int64_t q = 0; q < count; ++q) {
        const float* pixel = x + q * kLanes;
        store_pairs(to + q * step * pixel_bytes(), load(pixel), c + 1 < channels ? load(pixel + plane) : V{});
      }
  }
};

}  // namespace

/// A run of one output's factors: column 0 of its pixels, for the upper and (when pooled) the lower row of
/// sums; and its weights for the first 16 outputs.
struct Run {
  const char *pixels, *below, *weights;
};

struct GatherSums {
  Run runs[kMaxRuns];
  int64_t count = 0, blocks, tile_bytes;
  int64_t step;              ///< bytes of pixels from sum to sum
  int64_t outputs, columns;  ///< filters (or channels of dx), and how many results of each
};

/// Row p of epilogue.y.
void gather_sums(Tiles& tiles, const GatherSums& row, const LaneEpilogue& epilogue, int64_t p);

}  // namespace UNCIAL_SIMD
