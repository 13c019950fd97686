#pragma once
/// @file value.h
/// Values with the batch in the lanes, as a planned program holds them (kernels/cpu/simd/lane_image.h).
/// Internal.

#include <algorithm>
#include <vector>

#include "program/halo.h"
#include "program/stage.h"
#include "simd/lane_conv.h"
#include "simd/lane_dense.h"
#include "simd/lane_dropout.h"
#include "simd/lane_image.h"
#include "simd/lane_layer_norm.h"
#include "simd/lane_layout.h"
#include "simd/lane_loss.h"
#include "simd/lane_norm.h"
#include "simd/lane_pool.h"
#include "simd/lane_winograd.h"
#include "simd/rounding_run.h"
#include "tiles/tile_conv.h"
#include "tiles/tile_dense.h"

namespace uncial::program::lanes {

/// Kernels of the instruction set that was current when the program was planned.
struct Kernels {
  const cpu::LaneConvSimd& conv = cpu::lane_conv_simd();
  const cpu::LaneDenseSimd& dense = cpu::lane_dense_simd();
  const cpu::LaneNormSimd& norm = cpu::lane_norm_simd();
  const cpu::LaneLayerNormSimd& layer_norm = cpu::lane_layer_norm_simd();
  const cpu::LanePoolSimd& pool = cpu::lane_pool_simd();
  const cpu::LaneLossSimd& loss = cpu::lane_loss_simd();
  const cpu::LaneDropoutSimd& dropout = cpu::lane_dropout_simd();
  const cpu::LaneLayoutSimd& layout = cpu::lane_layout_simd();
  const cpu::RoundingSimd& rounding = cpu::rounding_simd();
  const cpu::WinogradSimd& winograd_3x3 = cpu::winograd_3x3_simd();
  const cpu::WinogradSimd& winograd_5x5 = cpu::winograd_5x5_simd();
  const cpu::TileConvKernels* tiles = cpu::tile_conv();         ///< null without a matrix unit
  const cpu::TileDenseKernels* tile_dense = cpu::tile_dense();  ///< likewise
  int64_t lanes = layout.lanes;

  const cpu::WinogradSimd& winograd(int64_t taps) const { return taps == 5 ? winograd_5x5 : winograd_3x3; }
};

/// One value: C x H x W vectors a group. A vector of D features is D x 1 x 1.
struct LaneValue {
  int64_t C = 0, H = 1, W = 1;
  Halo halo;
  bool codes = false;  ///< winner codes, a byte a lane, instead of floats
  /// Where it lies: in the arena, all groups after another; or, when one segment alone uses it, in the memory
  /// of the thread that works on the group, `offset` bytes from its start.
  bool local = false;
  Block block = Block::unused(0);
  int64_t group_bytes = 0;

  bool shape_differs(const LaneValue& other) const { return C != other.C || H != other.H || W != other.W; }
  int64_t rows() const { return halo.before + H + halo.below; }
  int64_t columns() const { return halo.before + W + halo.behind; }
  int64_t elements() const { return C * rows() * columns(); }
};

/// A lane value read with extents that may be other than its own (a reshape).
struct ImageOperand {
  int lane = -1;
  int64_t C = 0, H = 0, W = 0;
};

/// All lane values of a program, and the sizes that they share.
struct LaneTable {
  Kernels kernels;
  int64_t samples = 0;  ///< N
  std::vector<LaneValue> values;

  int64_t groups() const { return ceil_div(samples, kernels.lanes); }
  int64_t floats(const LaneValue& v) const { return v.elements() * kernels.lanes; }
};

/// What a node sees when it runs: one group.
struct GroupRun {
  const LaneTable& table;
  const Runtime& runtime;
  std::byte* local;  ///< values that live in this thread's memory
  float* workspace;  ///< scratch of the node
  int64_t group;
  int64_t samples;  ///< real samples of the group, 1 to lanes
  int64_t slot;     ///< where sums over the batch go (Reduction)

  int64_t first() const { return group * table.kernels.lanes; }
  template <class T = float>
  T* memory(int v) const {
    const LaneValue& x = table.values[size_t(v)];
    std::byte* base =
        x.local ? local + x.block.offset : runtime.arena + x.block.offset + group * x.group_bytes;
    return reinterpret_cast<T*>(base);
  }
  /// The value as an image. With other extents than its own (a reshape) it must have no halo.
  cpu::LaneImage image(int v) const {
    const LaneValue& x = table.values[size_t(v)];
    return image(v, x.C, x.H, x.W);
  }
  cpu::LaneImage image(int v, int64_t C, int64_t H, int64_t W) const {
    const LaneValue& x = table.values[size_t(v)];
    const int64_t lanes = table.kernels.lanes;
    const int64_t columns = W + x.halo.before + x.halo.behind, rows = H + x.halo.before + x.halo.below;
    return {
        memory(v) + x.halo.before * (columns + 1) * lanes, C, H, W, rows * columns * lanes, columns * lanes};
  }
  cpu::LaneImage image(const ImageOperand& x) const { return image(x.lane, x.C, x.H, x.W); }
  /// Whether a value outlives the group and is larger than caches.
  bool is_far(int v) const {
    const LaneValue& x = table.values[size_t(v)];
    return !x.local && x.group_bytes * table.groups() >= cpu::kFarBytes;
  }
  /// A row-major operand.
  template <class T = const float>
  T* operand(int value) const {
    return runtime.views[size_t(value)].as<T>();
  }
};

}  // namespace uncial::program::lanes
