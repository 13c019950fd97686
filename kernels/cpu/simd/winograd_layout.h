#pragma once
/// @file winograd_layout.h
/// How the Winograd kernels arrange their intermediate results, and the order in which they visit tiles.
///
/// An output is cut into tiles of kEdge x kEdge pixels, each computed from 6x6 pixels of the input; both are
/// carried to kPoints = 36 points, where the convolution is a product of matrices, one a point. kEdge is 4
/// for 3x3 filters and 2 for 5x5 filters: the points are the same, and with them what happens there. Up to
/// kTiles tiles form a *group*: what one register block of the products covers. A group's transformed
/// channels are a *panel*
///
///     [channel / kBlock][point][channel % kBlock][tile][lane]
///
/// A register block then writes one contiguous piece, and a transform, which
/// touches all points of a channel, stays within a few pages (Ice Lake's level-1 TLB has 16 entries for
/// stores).

#include "lane_winograd.h"
#include "lanes.h"

namespace UNCIAL_SIMD::winograd {

using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;
constexpr int kPatch = 6;  ///< rows and columns of the input that a tile is computed from
constexpr int kPoints = kPatch * kPatch;
/// Rows and columns of filters whose outputs are computed in tiles of kEdge x kEdge.
template <int kEdge>
constexpr int kTaps = kPatch + 1 - kEdge;
constexpr int kLine = 16;  ///< floats of a cache line

// Register block of the products: kBlock channels x kTiles vectors of sums, and kTiles vectors of the right
// factor. Without fused multiply-add a product needs a register of its own. Weight gradients take up to
// kMostVectors vectors of channels, four of them with half as many filters.
#if defined(UNCIAL_SIMD_avx512)
constexpr int kBlock = 8, kTiles = 3, kMostVectors = 4;
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kBlock = 4, kTiles = 3, kMostVectors = 3;
#else
constexpr int kBlock = 4, kTiles = 2, kMostVectors = 2;
#endif

constexpr int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

/// Floats from one point to the next (a line more than their content, so that the points of a channel do not
/// meet in the same sets of level 1), and from one block of channels to the next, in a panel of `tiles`
/// tiles.
constexpr int64_t point_step(int tiles) { return kBlock * tiles * kLanes + kLine; }
constexpr int64_t block_step(int tiles) { return kPoints * point_step(tiles); }
constexpr int64_t panel_floats(int64_t channels) {
  return round_up(channels, kBlock) / kBlock * block_step(kTiles);
}

/// Transformed weights are [point][filter / kBlock][channel][filter % kBlock], zero where padded.
constexpr int64_t weight_step(int64_t C) { return round_up(C, kBlock) * kBlock; }  ///< a block of filters

/// How many of `remaining` vectors (tiles of a group, vectors of channels) the next register block takes, of
/// kMost at most: 4 = 2 + 2 and 5 = 3 + 2 where they do not fit one, because a block of one vector runs at
/// half speed.
template <int kMost>
constexpr int next_part(int64_t remaining) {
  if (remaining == kMost + 1) return (kMost + 2) / 2;
  return int(lesser(remaining, kMost));
}

struct Tile {
  int64_t row, col;  ///< its first pixel of the output
};

struct TileGroup {
  int count = 0;
  Tile tile[kTiles];
};

/// The groups that share one pass over the weights.
constexpr int kMaxGroups = 2;
struct TilePass {
  int groups = 0;
  TileGroup group[kMaxGroups];
};

/// Walks over rows [t0, t1) of the tiles of an output in reading order.
template <int kEdge>
class TileWalk {
 public:
  TileWalk(int64_t Q, int64_t t0, int64_t t1)
      : end_(round_up(Q, kEdge)), remaining_((t1 - t0) * end_ / kEdge), at_{t0 * kEdge, 0} {}

  /// The next at most `groups` groups; false when all tiles were visited.
  bool next(TilePass& pass, int groups) {
    for (pass.groups = 0; pass.groups < groups && remaining_ > 0; ++pass.groups) {
      TileGroup& group = pass.group[pass.groups];
      group.count = next_part<kTiles>(remaining_);
      for (int t = 0; t < group.count; ++t) {
        group.tile[t] = at_;
        if ((at_.col += kEdge) == end_) at_ = {at_.row + kEdge, 0};
      }
      remaining_ -= group.count;
    }
    return pass.groups > 0;
  }

 private:
  int64_t end_;  ///< of a row, a tile's multiple
  int64_t remaining_;
  Tile at_;
};

/// f(std::integral_constant<int, count>), for 1 <= count <= kMost.
template <int kMost = kTiles, class F>
[[gnu::always_inline]] inline void with_count(int count, F f) {
  if constexpr (kMost > 1) {
    if (count < kMost) return with_count<kMost - 1>(count, f);
  }
  f(std::integral_constant<int, kMost>());
}

}  // namespace UNCIAL_SIMD::winograd
