// Winograd transforms of the forward pass: input tiles -> points, points -> output tiles with the epilogue.
// Both are bound by their 36 loads or stores a tile and channel, which travel between level 1 and level 2.

#include "lane_codes.h"
#include "winograd_matrices.h"
#include "winograd_tiles.h"

namespace UNCIAL_SIMD::winograd {

using uncial::cpu::LaneEpilogue;
using uncial::cpu::LaneImage;
using uncial::cpu::WinnerCode;

namespace {

/// Where a tile's rows and columns end inside of an image.
struct Extent {
  int64_t rows, cols;
};

/// Two rows of a tile -> one row of windows.
template <int kEdge>
[[gnu::always_inline]] inline void store_pooled(const V* a, const V* b, bool relu, int64_t cols, float* y,
                                                WinnerCode* winners) {
  const V floor = V{} + (relu ? 0.0f : -__builtin_inff());
#pragma GCC unroll 2
  for (int j = 0; j < kEdge / 2; ++j) {
    if (j >= cols) return;
    WinnerCode ignored[kLanes];
    store<float>(y + j * kLanes, pool_window(a[2 * j], a[2 * j + 1], b[2 * j], b[2 * j + 1], floor,
                                             winners ? winners + j * kLanes : ignored));
  }
}

template <int kEdge>
[[gnu::always_inline]] inline void store_row(const V* o, const float* skip, bool relu, bool past_caches,
                                             int64_t cols, float* y) {
#pragma GCC unroll 4
  for (int j = 0; j < kEdge; ++j) {
    if (j >= cols) return;
    const V v = skip ? o[j] + load<float>(skip + j * kLanes) : o[j];
    const V result = relu ? (V{} > v ? V{} : v) : v;
    if (past_caches)
      stream(y + j * kLanes, result);
    else
      store<float>(y + j * kLanes, result);
  }
}

/// Everything about one filter's plane of the output.
struct Plane {
  float* y;
  int64_t row;
  WinnerCode* winners;
  int64_t winner_row;
  float bias;
  bool relu;
  const float* skip;
  int64_t skip_row;
  bool stream;
};

template <int kEdge, int kHalf, bool kPool>
[[gnu::always_inline]] inline void finish_half(const float* m, int64_t point, const Plane& to, Tile tile,
                                               Extent extent) {
  constexpr int kRow = kPool ? kHalf : 2 * kHalf;
  if (kRow >= extent.rows) return;
  V upper[kEdge], lower[kEdge];
  output_rows<kEdge, kHalf>(m, point, upper, lower);
#pragma GCC unroll 4
  for (int j = 0; j < kEdge; ++j) {
    upper[j] += to.bias;
    lower[j] += to.bias;
  }
  if constexpr (kPool) {
    const int64_t row = tile.row / 2 + kRow, col = tile.col / 2 * kLanes;
    store_pooled<kEdge>(upper, lower, to.relu, extent.cols, to.y + row * to.row + col,
                        to.winners ? to.winners + row * to.winner_row + col : nullptr);
  } else {
    const int64_t row = tile.row + kRow, col = tile.col * kLanes;
    float* y = to.y + row * to.row + col;
    const float* skip = to.skip ? to.skip + row * to.skip_row + col : nullptr;
    store_row<kEdge>(upper, skip, to.relu, to.stream, extent.cols, y);
    if (kRow + 1 < extent.rows)
      store_row<kEdge>(lower, skip ? skip + to.skip_row : nullptr, to.relu, to.stream, extent.cols,
                       y + to.row);
  }
}

template <int kEdge, int kTilesHere, bool kPool>
void transform_output_of(const TileGroup& group, const float* panel, const LaneEpilogue& e, int64_t P,
                         int64_t Q, int64_t k0, int64_t k1) {
  constexpr int kShrink = kPool ? 2 : 1, kSide = kEdge / kShrink;  // of a tile of y
  if (kPool) P /= 2, Q /= 2;
  const bool far = is_far(e.y) && !e.stream;
  for (int64_t k = k0; k < k1; ++k) {
    const int64_t in_panel = k - k0;
    const float* m =
        panel + in_panel / kBlock * block_step(kTilesHere) + in_panel % kBlock * kTilesHere * kLanes;
    const Plane to = {e.y.data + k * e.y.plane,
                      e.y.row,
                      e.winners ? e.winners + k * P * Q * kLanes : nullptr,
                      Q * kLanes,
                      e.bias ? e.bias[k] : 0,
                      e.relu,
                      e.skip.data ? e.skip.data + k * e.skip.plane : nullptr,
                      e.skip.row,
                      e.stream};
    for (int t = 0; t < kTilesHere; ++t) {
      const Tile tile = group.tile[t];
      const int64_t row = tile.row / kShrink, col = tile.col / kShrink;
      const Extent extent = {P - row, Q - col};
      const float* next = to.y + (k + 1 < k1 ? e.y.plane : 0) + row * to.row + col * kLanes;
      if (far)
        prefetch_patch<kSide, 0, kSide, 1>([&](int i)
                                               __attribute__((always_inline)) { return next + i * to.row; });
      finish_half<kEdge, 0, kPool>(m + t * kLanes, point_step(kTilesHere), to, tile, extent);
      if constexpr (kEdge == 4)
        finish_half<kEdge, 1, kPool>(m + t * kLanes, point_step(kTilesHere), to, tile, extent);
    }
  }
}

}  // namespace

void transform_input(const TileGroup& group, const LaneImage& x, int64_t padding, float* panel) {
  with_count(group.count, [&](auto count) {
    constexpr int tiles = count;
    const bool far = is_far(x);
    const float* first[tiles][kPatch];  // rows of each tile in channel 0
    for (int t = 0; t < tiles; ++t)
      for (int i = 0; i < 6; ++i)
        first[t][i] = x.at_row(group.tile[t].row - padding + i) + (group.tile[t].col - padding) * kLanes;
    for (int64_t c = 0; c < x.C; ++c)
      for (int t = 0; t < tiles; ++t) {
        const float* rows[6];
        for (int i = 0; i < 6; ++i) rows[i] = first[t][i] + c * x.plane;
        const int64_t next = c + 1 < x.C ? x.plane : 0;
        if (far)
          prefetch_patch<6, 2, 6, 0>([&](int i) __attribute__((always_inline)) { return rows[i] + next; });
        input_tile(rows, kLanes, panel + c / kBlock * block_step(tiles) + (c % kBlock * tiles + t) * kLanes,
                   point_step(tiles));
      }
  });
}

template <int kEdge>
void transform_output(const TileGroup& group, const float* panel, const LaneEpilogue& epilogue, int64_t P,
                      int64_t Q, int64_t k0, int64_t k1) {
  with_count(group.count, [&](auto count) {
    if (epilogue.pool)
      transform_output_of<kEdge, count, true>(group, panel, epilogue, P, Q, k0, k1);
    else
      transform_output_of<kEdge, count, false>(group, panel, epilogue, P, Q, k0, k1);
  });
}
template void transform_output<4>(const TileGroup&, const float*, const LaneEpilogue&, int64_t, int64_t,
                                  int64_t, int64_t);
template void transform_output<2>(const TileGroup&, const float*, const LaneEpilogue&, int64_t, int64_t,
                                  int64_t, int64_t);

}  // namespace UNCIAL_SIMD::winograd
