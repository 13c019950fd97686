#include "tile_weights.h"

namespace UNCIAL_SIMD {
namespace {

/// Packs one tile of outputs; at(output, channel, r, s) is a weight, for output < outputs and channel <
/// channels.
template <class At>
void pack(const LaneConvShape& s, int64_t outputs, int64_t channels, int64_t tile, float* packed, At at) {
  const Runs runs(s, channels);
  char* to = reinterpret_cast<char*>(packed) + tile * runs.tile_bytes();
  for (int64_t run = 0; run < runs.count(); ++run)
    for (int64_t b = 0; b < runs.blocks; ++b)
      for (int64_t i = 0; i < kTileSide; ++i, to += kRowBytes) {
        alignas(64) float factors[2][kTileSide] = {};
        const int64_t o = tile * kTileSide + i;
        for (int64_t j = 0; j < kTileDepth && o < outputs; ++j) {
          const int64_t place = b * kTileDepth + j, tap = place / runs.channels, c = place % runs.channels;
          if (tap >= runs.taps || c >= channels) continue;
          factors[j % 2][j / 2] = at(o, c, run / runs.S, run % runs.S + tap);
        }
        store_pairs(to, load(factors[0]), load(factors[1]));
      }
}

int64_t packed_floats(const LaneConvShape& s, int64_t outputs, int64_t channels) {
  return tiles_of(outputs) * Runs(s, channels).tile_bytes() / int64_t(sizeof(float));
}

}  // namespace

int64_t tile_weight_floats(const LaneConvShape& s, int64_t C, int64_t K) { return packed_floats(s, K, C); }
int64_t tile_turned_weight_floats(const LaneConvShape& s, int64_t C, int64_t K) {
  return packed_floats(s, C, K);
}

void pack_tile_weights(const LaneConvShape& s, const float* w, int64_t C, int64_t K, int64_t tile,
                       float* packed) {
  pack(s, K, C, tile, packed,
       [&](int64_t k, int64_t c, int64_t r, int64_t t) { return w[((k * C + c) * s.R + r) * s.S + t]; });
}

/// The input gradient is a convolution of dy with the filters turned round.
void pack_turned_tile_weights(const LaneConvShape& s, const float* w, int64_t C, int64_t K, int64_t tile,
                              float* packed) {
  pack(s, C, K, tile, packed, [&](int64_t c, int64_t k, int64_t r, int64_t t) {
    return w[((k * C + c) * s.R + r) * s.S + s.S - 1 - t];
  });
}

void TileWeightSums::pack_dy(int64_t p, const float* row, int64_t plane) const {
  char* to = dy_rows + p % kRows * dy_row_bytes();
  for (int64_t q = 0; q < half(); ++q)
    for (int64_t k = 0; k < tiles_of(K) * kTileSide; ++k, to += kRowBytes) {
      const float* dy = row + k * plane;
      if (k < K)
        store_pairs(to, load(dy + q * kLanes), q + half() < Q ? load(dy + (q + half()) * kLanes) : V{});
      else
        store_pairs(to, V{}, V{});
    }
}

void TileWeightSums::pack_x(const LaneImage& x, int64_t h) const {
  char* to = x_row(h);
  const float* row = x.at_row(h);
  for (int64_t i = 0; i < x_columns(); ++i)
    for (int64_t c0 = 0; c0 < C; c0 += kTileSide, to += kTileBytes) {
      const int64_t first = i - s.padding, second = first + half() * s.stride;
      for (int64_t c = 0; c < kTileSide; ++c) {
        const float* plane = row + (c0 + c) * x.plane;
        const bool has = c0 + c < C;
        store_pairs(to + c * kRowBytes, has && first < W + s.padding ? load(plane + first * kLanes) : V{},
                    has && second < W + s.padding ? load(plane + second * kLanes) : V{});
      }
      transpose_tile(to);
    }
}

/// kA tiles of filters x kB tiles of channels; `column` counts (tap of a row, tile of channels).
template <int kA, int kB>
void TileWeightSums::add_block(Tiles& t, int64_t r, int64_t k_tile, int64_t column, int64_t p0, int64_t p1,
                               float* sums) const {
  const int64_t columns = s.S * tiles_of(C), k_step = tiles_of(K) * kTileBytes;
  float* at[2];
  for (int a = 0; a < kA; ++a)
    at[a] = sums + ((r * tiles_of(K) + k_tile + a) * columns + column) * kTileFloats;
  const auto x_offset = [&](int64_t b) {
    return (b / tiles_of(C) * s.dilation * tiles_of(C) + b % tiles_of(C)) * kTileBytes;
  };
  const int64_t first = x_offset(column), second = kB == 2 ? x_offset(column + 1) : first;
  t.template load<0>(at[0]);
  if constexpr (kB == 2) t.template load<1>(at[0] + kTileFloats);
  if constexpr (kA == 2) t.template load<kB>(at[1]);
  if constexpr (kA * kB == 4) t.template load<3>(at[1] + kTileFloats);
  for (int64_t p = p0; p < p1; ++p) {
    const int64_t h = p * s.stride - s.padding + r * s.dilation;
    if (h < 0 || h >= H) continue;
    const char *dy = dy_rows + p % kRows * dy_row_bytes() + k_tile * kTileBytes, *x = x_row(h);
    const char *left[] = {dy, dy + kTileBytes}, *right[] = {x + first, x + second};
    add_products<kA, kB>(t, left, k_step, right, s.stride * tiles_of(C) * kTileBytes, half());
  }
  t.template store<0>(at[0]);
  if constexpr (kB == 2) t.template store<1>(at[0] + kTileFloats);
  if constexpr (kA == 2) t.template store<kB>(at[1]);
  if constexpr (kA * kB == 4) t.template store<3>(at[1] + kTileFloats);
}

void TileWeightSums::add(Tiles& tiles, const LaneImage& x, int64_t p0, int64_t p1, float* sums) const {
  const int64_t reach = (s.R - 1) * s.dilation - s.padding;
  // Rows that the calls before have not read.
  int64_t h = p0 == 0 ? -s.padding : larger((p0 - 1) * s.stride + reach + 1, p0 * s.stride - s.padding);
  for (; h <= (p1 - 1) * s.stride + reach; ++h)
    if (h >= 0 && h < H) pack_x(x, h);
  const int64_t columns = s.S * tiles_of(C), k_tiles = tiles_of(K);
  for (int64_t r = 0; r < s.R; ++r)
    for (int64_t k = 0; k < k_tiles; k += 2)
      for (int64_t b = 0; b < columns; b += 2) {
        const bool two_k = k + 1 < k_tiles, two_b = b + 1 < columns;
        if (two_k && two_b)
          add_block<2, 2>(tiles, r, k, b, p0, p1, sums);
        else if (two_k)
          add_block<2, 1>(tiles, r, k, b, p0, p1, sums);
        else if (two_b)
          add_block<1, 2>(tiles, r, k, b, p0, p1, sums);
        else
          add_block<1, 1>(tiles, r, k, b, p0, p1, sums);
      }
}

void finish_tile_weights(const LaneConvShape& s, int64_t C, int64_t K, const float* sums, float* dw,
                         int64_t k0, int64_t k1) {
  const int64_t columns = s.S * tiles_of(C);
  for (int64_t k = k0; k < k1; ++k)
    for (int64_t c = 0; c < C; ++c)
      for (int64_t r = 0; r < s.R; ++r)
        for (int64_t t = 0; t < s.S; ++t) {
          const int64_t tile = (r * tiles_of(K) + k / kTileSide) * columns + t * tiles_of(C) + c / kTileSide;
          dw[((k * C + c) * s.R + r) * s.S + t] =
              sums[tile * kTileFloats + k % kTileSide * kTileSide + c % kTileSide];
        }
}

}  // namespace UNCIAL_SIMD
