// Winograd's F(4x4, 3x3) of one sample, with the channels in the lanes: tiles are carried to 36 points a
// vector of channels at a time; at each point they are the pixels of a 1x1 convolution, which the register
// block of the direct convolutions computes; and carried back a vector of filters at a time.

#include "channel_block.h"
#include "winograd_matrices.h"

namespace UNCIAL_SIMD {
namespace {

using winograd::kPoints;

/// Floats from point to point: `vectors` planes of tiles. An odd number of vectors, because points a power of
/// two apart would share few sets of the cache.
int64_t point_step(int64_t vectors, int64_t tiles) { return (vectors * tiles | 1) * kLanes; }

int64_t filter_floats(int64_t C, int64_t K) { return kPoints * vectors_of(K) * kLanes * C; }

int64_t workspace_floats(int64_t C, int64_t K, int64_t tiles) {
  return kPoints * (point_step(vectors_of(C), tiles) + point_step(vectors_of(K), tiles)) + C;
}

/// Filters [k, k + kLanes) of channel c, times their factors; zero beyond K.
void gather_filters(int64_t C, int64_t K, const float* w, const float* factor, int64_t k, int64_t c,
                    float (*to)[kLanes]) {
  for (int tap = 0; tap < 9; ++tap)
    for (int i = 0; i < kLanes; ++i) {
      const float value = k + i < K ? w[((k + i) * C + c) * 9 + tap] : 0;
      to[tap][i] = factor && k + i < K ? value * factor[k + i] : value;
    }
}

/// [point][pair of vectors][channel][filter], as channel_block() reads it.
void transform_filters(int64_t C, int64_t K, const float* w, const float* factor, float* filters, int64_t v0,
                       int64_t v1) {
  const int64_t point = vectors_of(K) * kLanes * C;
  for (int64_t v = v0; v < v1; ++v) {
    const int64_t pair = v / 2 * 2, width = smaller(2, vectors_of(K) - pair) * kLanes;
    float* to = filters + pair * kLanes * C + (v - pair) * kLanes;
    for (int64_t c = 0; c < C; ++c) {
      float taps[9][kLanes];
      gather_filters(C, K, w, factor, v * kLanes, c, taps);
      winograd::weight_tile<3, kVectorBytes>(taps, to + c * width, point);
    }
  }
}

/// Where a tile lies, and how many of its outputs are real.
struct Tile {
  int64_t row, column, rows, columns;
};
Tile tile_at(const ChannelConvShape& s, int64_t t) {
  const int64_t across = (s.Q + 3) / 4, row = t / across * 4, column = t % across * 4;
  return {row, column, smaller(4, s.P - row), smaller(4, s.Q - column)};
}

void transform_input(const ChannelConvShape& s, const ChannelSource& x, int64_t t0, int64_t t1,
                     float* points) {
  const int64_t tiles = t1 - t0, step = point_step(vectors_of(s.C), tiles);
  for (int64_t t = t0; t < t1; ++t) {
    const Tile tile = tile_at(s, t);
    for (int64_t v = 0; v < vectors_of(s.C); ++v) {
      const float* rows[6];
      for (int i = 0; i < 6; ++i)
        rows[i] = x.data + v * x.plane + (tile.row + i) * x.row + tile.column * kLanes;
      winograd::input_tile(rows, kLanes, points + (v * tiles + t - t0) * kLanes, step);
    }
  }
}

/// For vectors of filters [v0, v1), v0 even; their sums lie as if there were no others.
void products(const ChannelConvShape& s, int64_t tiles, const float* filters, int64_t v0, int64_t v1,
              const float* points, float* sums, int32_t* offsets) {
  const float zeros[2 * kLanes] = {};
  const int64_t channels = vectors_of(s.C), outputs = vectors_of(s.K);
  for (int64_t c = 0; c < s.C; ++c) offsets[c] = int32_t(c / kLanes * tiles * kLanes + c % kLanes);
  const Taps taps = {offsets, s.C};
  const Split pair(tiles, kMostPixels[1]), single(tiles, kMostPixels[0]);
  for (int point = 0; point < kPoints; ++point) {
    const float* x = points + point * point_step(channels, tiles);
    for (int64_t v = v0; v < v1; v += 2) {
      const float* w = filters + (point * outputs + v) * kLanes * s.C;
      const Sums to = {zeros, false, sums + point * point_step(v1 - v0, tiles) + (v - v0) * tiles * kLanes,
                       tiles * kLanes};
      if (outputs - v > 1)
        channel_row<2, kLanes>(taps, x, kLanes, pair, w, to);
      else
        channel_row<1, kLanes>(taps, x, kLanes, single, w, to);
    }
  }
}

template <int kHalf>
[[gnu::always_inline]] inline void finish_half(const float* m, int64_t point, const LaneEpilogue& e,
                                               int64_t v, const Tile& tile) {
  if (2 * kHalf >= tile.rows) return;
  V rows[2][4];
  winograd::output_rows<4, kHalf>(m, point, rows[0], rows[1]);
  const V bias = load(e.bias + v * kLanes);
  if (e.pool) {
    if (2 * kHalf + 1 >= tile.rows) return;
    float* y = e.y.data + v * e.y.plane + (tile.row / 2 + kHalf) * e.y.row + tile.column / 2 * kLanes;
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      if (2 * j + 1 >= tile.columns) return;
      const V best = first_largest(first_largest(rows[0][2 * j], rows[0][2 * j + 1]),
                                   first_largest(rows[1][2 * j], rows[1][2 * j + 1])) +
                     bias;
      store<float>(y + j * kLanes, e.relu ? relu(best) : best);
    }
    return;
  }
  float* y = e.y.data + v * e.y.plane + (tile.row + 2 * kHalf) * e.y.row + tile.column * kLanes;
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      if (2 * kHalf + i >= tile.rows || j >= tile.columns) continue;
      const V value = rows[i][j] + bias;
      store<float>(y + i * e.y.row + j * kLanes, e.relu ? relu(value) : value);
    }
}

void transform_output(const ChannelConvShape& s, const float* sums, const LaneEpilogue& epilogue, int64_t v0,
                      int64_t v1, int64_t t0, int64_t t1) {
  const int64_t tiles = t1 - t0, step = point_step(v1 - v0, tiles);
  const LaneEpilogue e = epilogue;
  for (int64_t t = t0; t < t1; ++t) {
    const Tile tile = tile_at(s, t);
    for (int64_t v = v0; v < v1; ++v) {
      const float* m = sums + ((v - v0) * tiles + t - t0) * kLanes;
      finish_half<0>(m, step, e, v, tile);
      finish_half<1>(m, step, e, v, tile);
    }
  }
}

void forward(const ChannelConvShape& s, const ChannelSource& x, const float* filters,
             const LaneEpilogue& epilogue, int64_t v0, int64_t v1, int64_t t0, int64_t t1, float* workspace) {
  float* sums = workspace + kPoints * point_step(vectors_of(s.C), t1 - t0);
  transform_input(s, x, t0, t1, workspace);
  auto* offsets = reinterpret_cast<int32_t*>(sums + kPoints * point_step(vectors_of(s.K), t1 - t0));
  products(s, t1 - t0, filters, v0, v1, workspace, sums, offsets);
  transform_output(s, sums, epilogue, v0, v1, t0, t1);
}

}  // namespace

extern const uncial::cpu::ChannelWinogradSimd channel_winograd_simd = {
    kLanes, filter_floats, transform_filters, forward, workspace_floats};

}  // namespace UNCIAL_SIMD
