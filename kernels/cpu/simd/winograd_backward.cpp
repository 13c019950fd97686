// Winograd transforms of the backward pass: output gradient -> points, and points -> input gradient.

#include "lane_codes.h"
#include "winograd_matrices.h"
#include "winograd_tiles.h"

namespace UNCIAL_SIMD::winograd {

using uncial::cpu::LaneGradient;
using uncial::cpu::LaneImage;
using uncial::cpu::WinnerCode;

namespace {

using Index = Lanes<int32_t>::V;

enum class Source { plain, relu, pooled };

/// Filter k's gradients of a tile; zero beyond the image.
template <int kEdge, Source kSource>
[[gnu::always_inline]] inline void load_gradient(const LaneGradient& dy, int64_t k, Tile tile,
                                                 V (*z)[kEdge]) {
  constexpr int kShrink = kSource == Source::pooled ? 2 : 1, kSide = kEdge / kShrink;
  const int64_t P = dy.P / kShrink, Q = dy.Q / kShrink, row = tile.row / kShrink, col = tile.col / kShrink;
  const int64_t rows = P - row, cols = Q - col;
  const int64_t at = k * dy.dy.plane + row * dy.dy.row + col * kLanes;
  const int64_t next = at + (k + 1 < dy.dy.C ? dy.dy.plane : 0);
  const auto prefetch = [&](const float* image) __attribute__((always_inline)) {
    prefetch_patch<kSide, 0, kSide, 0>([&](int i) __attribute__((always_inline)) {
      return image + next + i * dy.dy.row;
    });
  };
  if (is_far(dy.dy)) {
    prefetch(dy.dy.data);
    if constexpr (kSource == Source::relu) prefetch(dy.relu_y);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kSide; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kSide; ++j) {
      const bool inside = i < rows && j < cols;
      const int64_t here = at + i * dy.dy.row + j * kLanes;
      const V g = inside ? load(dy.dy.data + here) : V{};
      if constexpr (kSource == Source::plain) {
        z[i][j] = g;
      } else if constexpr (kSource == Source::relu) {
        z[i][j] = inside ? (load(dy.relu_y + here) > V{} ? g : V{}) : V{};
      } else {
        const WinnerCode* codes = dy.winners + ((k * P + row + i) * Q + col + j) * kLanes;
        const V scaled = g * dy.scale;
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q)
          z[2 * i + q / 2][2 * j + q % 2] = inside ? where_code(codes, q, scaled) : V{};
      }
    }
}

/// A z A^T; returns the point (1, 1), the plain sum of the tile.
template <int kEdge>
[[gnu::always_inline]] inline V gradient_tile(const V (*z)[kEdge], float* to, int64_t step) {
  V total;
  for_pairs([&](auto pair) __attribute__((always_inline)) {
    V first[kEdge], second[kEdge], o[kPatch];
#pragma GCC unroll 4
    for (int j = 0; j < kEdge; ++j)
      gradient_pair<kEdge, pair>(
          [=](int i) __attribute__((always_inline))->V { return z[i][j]; }, first[j], second[j]);
    gradient_row<kEdge>(first, o);
    if (pair == 1) total = o[1];
    store_points(o, to + kPairRows[pair][0] * 6 * step, step);
    gradient_row<kEdge>(second, o);
    store_points(o, to + kPairRows[pair][1] * 6 * step, step);
  });
  return total;
}

template <int kEdge, int kTilesHere, Source kSource>
void transform_gradient_of(const TileGroup& group, const LaneGradient& dy, float* panel, float* bias_sums) {
  constexpr int64_t step = point_step(kTilesHere), block = block_step(kTilesHere);
  const int64_t K = dy.dy.C;
  for (int64_t k = 0; k < K; ++k) {
    float* to = panel + k / kBlock * block + k % kBlock * kTilesHere * kLanes;
    V sum{};
    for (int t = 0; t < kTilesHere; ++t) {
      V z[kEdge][kEdge];
      load_gradient<kEdge, kSource>(dy, k, group.tile[t], z);
      sum += gradient_tile<kEdge>(z, to + t * kLanes, step);
    }
    if (bias_sums) store<float>(bias_sums + k * kLanes, load(bias_sums + k * kLanes) + sum);
  }
  for (int64_t k = K; k < round_up(K, kBlock); ++k)
    for (int p = 0; p < kPoints; ++p)
      for (int t = 0; t < kTilesHere; ++t)
        store<float>(panel + k / kBlock * block + p * step + (k % kBlock * kTilesHere + t) * kLanes, V{});
}

/// Adds a row of a tile to dx: where the mask is 0 the pixel is met for the first time.
template <int kOverlap>
[[gnu::always_inline]] inline void add_row(const V* o, Index overlapping, Index others, float* dx) {
#pragma GCC unroll 6
  for (int j = 0; j < kPatch; ++j) {
    const Index met = j < kOverlap ? overlapping : others;
    store<float>(dx + j * kLanes, o[j] + (V)((Index)load(dx + j * kLanes) & met));
  }
}

/// B m B^T added to six rows of dx, `plane` floats on. `above`, `left`: all bits where that neighbour exists.
template <int kEdge>
[[gnu::always_inline]] inline void input_gradient_tile(const float* m, int64_t step, Index above, Index left,
                                                       float* const* rows, int64_t plane) {
  constexpr int kRows[3][2] = {{0, 5}, {1, 3}, {2, 4}};  // of each pair
  const auto add = [=](const V* o, int i) __attribute__((always_inline)) {
    const bool overlaps = i < kPatch - kEdge;
    add_row<kPatch - kEdge>(o, overlaps ? above | left : left, overlaps ? above : Index{}, rows[i] + plane);
  };
  for_pairs([&](auto pair) __attribute__((always_inline)) {
    V first[6], second[6], o[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j)
      input_gradient_pair<pair>(
          [=](int i) __attribute__((always_inline))->V { return load(m + (i * 6 + j) * step); }, first[j],
          second[j]);
    input_gradient_row(first, o);
    add(o, kRows[pair][0]);
    input_gradient_row(second, o);
    add(o, kRows[pair][1]);
  });
}

}  // namespace

template <int kEdge>
void transform_gradient(const TileGroup& group, const LaneGradient& dy, float* panel, float* bias_sums) {
  with_count(group.count, [&](auto count) {
    if (dy.winners)
      transform_gradient_of<kEdge, count, Source::pooled>(group, dy, panel, bias_sums);
    else if (dy.relu_y)
      transform_gradient_of<kEdge, count, Source::relu>(group, dy, panel, bias_sums);
    else
      transform_gradient_of<kEdge, count, Source::plain>(group, dy, panel, bias_sums);
  });
}

template <int kEdge>
void transform_input_gradient(const TileGroup& group, const float* panel, const LaneImage& dx,
                              int64_t padding) {
  with_count(group.count, [&](auto count) {
    constexpr int tiles = count;
    const bool far = is_far(dx);
    float* rows[tiles][kPatch];  // of each tile in channel 0
    for (int t = 0; t < tiles; ++t)
      for (int i = 0; i < 6; ++i)
        rows[t][i] = dx.at_row(group.tile[t].row - padding + i) + (group.tile[t].col - padding) * kLanes;
    for (int64_t c = 0; c < dx.C; ++c)
      for (int t = 0; t < tiles; ++t) {
        const Tile tile = group.tile[t];
        const int64_t next = (c + 1 < dx.C ? c + 1 : c) * dx.plane;
        if (far)
          prefetch_patch<6, 2, 6, 1>([&](int i) __attribute__((always_inline)) { return rows[t][i] + next; });
        const float* m = panel + c / kBlock * block_step(tiles) + (c % kBlock * tiles + t) * kLanes;
        input_gradient_tile<kEdge>(m, point_step(tiles), Index{} - (tile.row > 0), Index{} - (tile.col > 0),
                                   rows[t], c * dx.plane);
      }
  });
}

template void transform_gradient<4>(const TileGroup&, const LaneGradient&, float*, float*);
template void transform_gradient<2>(const TileGroup&, const LaneGradient&, float*, float*);
template void transform_input_gradient<4>(const TileGroup&, const float*, const LaneImage&, int64_t);
template void transform_input_gradient<2>(const TileGroup&, const float*, const LaneImage&, int64_t);

}  // namespace UNCIAL_SIMD::winograd
