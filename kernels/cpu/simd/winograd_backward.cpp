// Winograd transforms of the backward pass: output gradient -> points, and points -> input gradient.

#include "winograd_matrices.h"
#include "winograd_tiles.h"

namespace UNCIAL_SIMD::winograd {

using uncial::cpu::LaneGradient;
using uncial::cpu::LaneImage;
using uncial::cpu::WinnerCode;

namespace {

using Index = Lanes<int32_t>::V;
using Codes = Lanes<WinnerCode, kLanes>::V;

enum class Source { plain, relu, pooled };

/// Filter k's 4x4 gradients of a tile; zero beyond the image.
template <Source kSource>
[[gnu::always_inline]] inline void load_gradient(const LaneGradient& dy, int64_t k, Tile tile, V (*z)[4]) {
  constexpr int kSide = kSource == Source::pooled ? 2 : 4;
  const int64_t P = kSource == Source::pooled ? dy.P / 2 : dy.P,
                Q = kSource == Source::pooled ? dy.Q / 2 : dy.Q;
  const int64_t rows = P - tile.row * kSide, cols = Q - tile.col * kSide;
  const int64_t at = k * dy.dy.plane + tile.row * kSide * dy.dy.row + tile.col * kSide * kLanes;
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
        const int64_t window = (k * P + tile.row * 2 + i) * Q + tile.col * 2 + j;
        const Codes codes = inside ? load<WinnerCode, kLanes>(dy.winners + window * kLanes) : Codes{};
        const Index winner = __builtin_convertvector(codes, Index);
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) z[2 * i + q / 2][2 * j + q % 2] = winner == q ? g : V{};
      }
    }
}

/// A z A^T; returns the point (1, 1), the plain sum of the tile.
[[gnu::always_inline]] inline V gradient_tile(const V (*z)[4], float* to, int64_t point) {
  V total;
  const auto pair = [&]<int kPair>(std::integral_constant<int, kPair>) __attribute__((always_inline)) {
    V first[4], second[4], o[6];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      gradient_pair<kPair>(
          [=](int i) __attribute__((always_inline))->V { return z[i][j]; }, first[j], second[j]);
    gradient_row(first, o);
    if constexpr (kPair == 1) total = o[1];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store<float>(to + (kGradientPairs[kPair].first * 6 + j) * point, o[j]);
    gradient_row(second, o);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) store<float>(to + (kGradientPairs[kPair].second * 6 + j) * point, o[j]);
  };
  pair(std::integral_constant<int, 0>());
  pair(std::integral_constant<int, 1>());
  pair(std::integral_constant<int, 2>());
  return total;
}

template <int kTilesHere, Source kSource>
void transform_gradient_of(const TileGroup& group, const LaneGradient& dy, float* panel, float* bias_sums) {
  for (int64_t k = 0; k < dy.dy.C; ++k) {
    float* to = panel + k / kBlock * block_step(kTilesHere) + k % kBlock * kTilesHere * kLanes;
    V sum = bias_sums ? load(bias_sums + k * kLanes) : V{};
    for (int t = 0; t < kTilesHere; ++t) {
      V z[4][4];
      load_gradient<kSource>(dy, k, group.tile[t], z);
      sum += gradient_tile(z, to + t * kLanes, point_step(kTilesHere));
    }
    if (bias_sums) store<float>(bias_sums + k * kLanes, sum);
  }
  for (int64_t k = dy.dy.C; k < round_up(dy.dy.C, kBlock); ++k)
    for (int p = 0; p < kPoints; ++p)
      for (int t = 0; t < kTilesHere; ++t)
        store<float>(panel + k / kBlock * block_step(kTilesHere) + p * point_step(kTilesHere) +
                         (k % kBlock * kTilesHere + t) * kLanes,
                     V{});
}

/// Adds a row of a tile to dx: where the mask is 0 the pixel is met for the first time.
[[gnu::always_inline]] inline void add_row(const V* o, Index first_two, Index others, float* dx) {
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j)
    store<float>(dx + j * kLanes, o[j] + (V)((Index)load(dx + j * kLanes) & (j < 2 ? first_two : others)));
}

/// B m B^T added to dx. `above`, `left`: all bits where that neighbour exists.
[[gnu::always_inline]] inline void input_gradient_tile(const float* m, int64_t point, Index above, Index left,
                                                       float* dx, int64_t row) {
  const auto pair = [&]<int kPair>(std::integral_constant<int, kPair>) __attribute__((always_inline)) {
    constexpr RowPair at = kInputGradientPairs[kPair];
    V first[6], second[6], o[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j)
      input_gradient_pair<kPair>(
          [=](int i) __attribute__((always_inline))->V { return load(m + (i * 6 + j) * point); }, first[j],
          second[j]);
    input_gradient_row(first, o);
    add_row(o, at.first < 2 ? above | left : left, at.first < 2 ? above : Index{}, dx + at.first * row);
    input_gradient_row(second, o);
    add_row(o, at.second < 2 ? above | left : left, at.second < 2 ? above : Index{}, dx + at.second * row);
  };
  pair(std::integral_constant<int, 0>());
  pair(std::integral_constant<int, 1>());
  pair(std::integral_constant<int, 2>());
}

}  // namespace

void transform_gradient(const TileGroup& group, const LaneGradient& dy, float* panel, float* bias_sums) {
  with_count(group.count, [&](auto count) {
    if (dy.winners)
      transform_gradient_of<count, Source::pooled>(group, dy, panel, bias_sums);
    else if (dy.relu_y)
      transform_gradient_of<count, Source::relu>(group, dy, panel, bias_sums);
    else
      transform_gradient_of<count, Source::plain>(group, dy, panel, bias_sums);
  });
}

void transform_input_gradient(const TileGroup& group, const float* panel, const LaneImage& dx,
                              int64_t padding) {
  with_count(group.count, [&](auto count) {
    constexpr int tiles = count;
    for (int64_t c = 0; c < dx.C; ++c)
      for (int t = 0; t < tiles; ++t) {
        const Tile tile = group.tile[t];
        input_gradient_tile(
            panel + c / kBlock * block_step(tiles) + (c % kBlock * tiles + t) * kLanes, point_step(tiles),
            Index{} - (tile.row > 0), Index{} - (tile.col > 0),
            dx.data + c * dx.plane + (tile.row * 4 - padding) * dx.row + (tile.col * 4 - padding) * kLanes,
            dx.row);
      }
  });
}

}  // namespace UNCIAL_SIMD::winograd
