#pragma once
/// @file lane_image.h
/// Images with the batch in the lanes of vectors: a *group* is as many samples as a vector of floats has
/// lanes (16 for AVX-512, 8 for AVX2, 4 otherwise), and element (c, h, w) of a group is one vector. Every tap
/// of a convolution is then a multiply-add with a broadcast weight, whatever the extents, and ReLU, pooling
/// and dropout need no shuffles. Groups are independent, so a kernel works on one and the caller walks over
/// them.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// The planes of one group. `data` is element (0, 0, 0), 64-byte aligned; distances count floats. Rows and
/// columns outside [0, H) x [0, W) that the owner reserved as a halo are readable and zero.
struct LaneImage {
  float* data = nullptr;
  int64_t C = 0, H = 0, W = 0;
  int64_t plane = 0, row = 0;  ///< from channel to channel, from row to row; columns are one vector apart
  /// Where a kernel takes part of the rows and says so, an image may be a *ring*: so many rows of it are in
  /// memory at a time, row h at the place of row h mod ring. 0: all rows are there.
  int64_t ring = 0;

  /// Element (0, h, 0); h may be negative.
  [[gnu::always_inline]] float* at_row(int64_t h) const {
    if (ring) h = h % ring + (h % ring < 0 ? ring : 0);
    return data + h * row;
  }
};

/// Which of the four pixels of a 2x2 window won, for each lane: 0 to 3 in reading order, kNoWinner where ReLU
/// (or dropout) made the result 0. Kept in place of the whole image: all that the backward pass needs.
using WinnerCode = int8_t;
constexpr WinnerCode kNoWinner = 4;

/// Values of so many bytes a batch are not found in a cache by who reads them after other groups. Measured
/// for outputs of convolutions on 32 MB of level 3, each read once at once: stores past the caches gain from
/// 4 MB on.
constexpr int64_t kFarBytes = int64_t(8) << 20;

/// What happens to a convolution's sums before they are stored.
struct LaneEpilogue {
  const float* bias = nullptr;  ///< (K), or nothing
  bool relu = false;
  bool pool = false;  ///< 2x2 windows side by side, the larger wins, the first among equals; odd edges drop
  LaneImage y = {};   ///< (K, P, Q), or (K, P / 2, Q / 2) when pooled
  WinnerCode* winners = nullptr;  ///< [K][P / 2][Q / 2][lanes] when pooled; may be null
  LaneImage skip = {};            ///< (K, P, Q), added before the ReLU: a residual; no data, or not pooled
  /// y, whose elements have a vector's alignment, goes to memory past the caches, which will have forgotten
  /// it when it is read: it need not be fetched before it is written. Blocks that pool or slide do not ask,
  /// nor do forward_rows() of direct convolutions end with a fence: rings are read at once.
  bool stream = false;
};

/// Rows of an image with its *channels* in the lanes of vectors, as weight gradients want them: [row][column]
/// [lane][channel], a ring of rows.
struct LaneTurnedRows {
  float* data = nullptr;                  ///< column -before of row -before
  int64_t ring = 0, row = 0, column = 0;  ///< rows in memory; floats from row to row, column to column
  int64_t channels = 0;                   ///< rounded up to whole vectors; those beyond the image are zero
  int64_t before = 0, columns = 0;        ///< zero rows and columns on the upper left; columns in all

  [[gnu::always_inline]] float* at_row(int64_t h) const { return data + (h + before) % ring * row; }
};

/// Which lanes of each element of an image are positive: [row][column][channel], a ring of rows; bit l says
/// it of lane l.
struct LaneBits {
  uint16_t* data = nullptr;
  int64_t ring = 0, row = 0, column = 0;  ///< rows in memory; elements from row to row, column to column
};

/// Where a convolution's output gradient (K, P, Q) comes from.
struct LaneGradient {
  LaneImage dy;                         ///< (K, P, Q), or (K, P / 2, Q / 2) behind a pooling
  const float* relu_y = nullptr;        ///< strides as dy: gradient 0 where this is not > 0; not with winners
  const WinnerCode* winners = nullptr;  ///< [K][P / 2][Q / 2][lanes]: dy goes to the winner of each window
  int64_t P = 0, Q = 0;
  float scale = 1;         ///< of dy with winners: what dropout behind the pooling multiplied by
  LaneBits positive = {};  ///< in the place of relu_y, where a kernel says so
};

}  // namespace uncial::cpu
