#pragma once
/// @file winograd_tiles.h
/// From images to points and back, for one group of tiles.

#include "winograd_products.h"

namespace UNCIAL_SIMD::winograd {

/// Whether an image, 512 KiB or more, is hardly found in level 2 beside the panels of a pass.
inline bool is_far(const uncial::cpu::LaneImage& image) { return image.C * image.plane >= 128 * 1024; }

/// Fetches columns [kFirst, kColumns) of a patch of pixels: a transform does so for the next channel of
/// images that are far, whose rows are too short for the hardware to foresee. row(i): where row i begins.
template <int kRows, int kFirst, int kColumns, int kWrite, class Row>
[[gnu::always_inline]] inline void prefetch_patch(Row row) {
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 6
    for (int j = kFirst * kLanes; j < kColumns * kLanes; j += kLine) __builtin_prefetch(row(i) + j, kWrite);
}

/// x -> panel. `padding` shifts the tiles to the upper left.
void transform_input(const TileGroup& group, const uncial::cpu::LaneImage& x, int64_t padding, float* panel);
/// Filters [k0, k1) of a panel -> y, through bias, ReLU and pooling; the panel begins at k0. P, Q: of the
/// unpooled output.
template <int kEdge>
void transform_output(const TileGroup& group, const float* panel, const uncial::cpu::LaneEpilogue& epilogue,
                      int64_t P, int64_t Q, int64_t k0, int64_t k1);
/// dy -> panel, with zeros in the padding filters; adds the sum of each tile to bias_sums [K][lanes] unless
/// null.
template <int kEdge>
void transform_gradient(const TileGroup& group, const uncial::cpu::LaneGradient& dy, float* panel,
                        float* bias_sums);
/// Panel -> dx: tiles overlap by kPatch - kEdge rows and columns and are added. Tiles come in reading order,
/// so that the first to reach a pixel overwrites it.
template <int kEdge>
void transform_input_gradient(const TileGroup& group, const float* panel, const uncial::cpu::LaneImage& dx,
                              int64_t padding);

/// The rows of x that the tiles of a pass read, with channels in the lanes: [column][lane][channel], or
/// [column][pair of lanes][channel, lane of the pair] (see ChannelPanel).
template <int kEdge>
class ChannelRows {
 public:
  /// `tiles`: of a pass. W: columns that whole tiles read.
  static int64_t floats(int64_t C, int64_t W, int64_t tiles) {
    return ring_rows(W, tiles) * row_floats(C, W);
  }

  /// For rows of tiles from t0 on; `memory` still has what those before them needed.
  /// Rows that it keeps, when nobody else writes them.
  static int64_t ring_rows(int64_t W, int64_t tiles) {
    const int64_t tile_cols = (W - kOverlap) / kEdge;
    return ((tiles + tile_cols - 2) / tile_cols + 1) * kEdge + kOverlap;
  }

  ChannelRows(const uncial::cpu::LaneImage& x, int64_t padding, int64_t W, int64_t tiles, int64_t t0,
              float* memory)
      : x_(x),
        padding_(padding),
        cols_(W),
        ring_rows_(x.data ? ring_rows(W, tiles) : x.ring),
        memory_(memory),
        filled_(t0 > 0 ? kEdge * t0 + kOverlap : 0) {}

  uncial::cpu::LaneTurnedRows layout() const {
    return {memory_,  ring_rows_, row_floats(x_.C, cols_), col_floats(x_.C), round_up(x_.C, kLanes),
            padding_, cols_};
  }
  /// Fills in what the pass needs and earlier passes did not. Passes come in reading order.
  void advance(const TilePass& pass);
  /// Tiles of `group` -> ChannelPanel.
  void transform(const TileGroup& group, float* panel) const;

 private:
  static constexpr int64_t kOverlap = kPatch - kEdge;
  // A line or two of padding, because columns 2 KiB apart would share two sets of the level-1 cache.
  static int64_t col_floats(int64_t C) {
    return ChannelPanel::positions(C) * round_up(C, kLanes) + 2 * kLine;
  }
  static int64_t row_floats(int64_t C, int64_t W) { return W * col_floats(C) + 4 * kLine; }
  float* row(int64_t r) const { return memory_ + r % ring_rows_ * row_floats(x_.C, cols_); }
  void fill_row(int64_t r);
  void fill_row_in_pairs(int64_t r);

  const uncial::cpu::LaneImage& x_;
  int64_t padding_, cols_, ring_rows_;
  float* memory_;
  int64_t filled_;  ///< rows so far, counted from the padding's first
};

}  // namespace UNCIAL_SIMD::winograd
