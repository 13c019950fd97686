// Register-blocked products of Winograd convolutions. Every loop over accumulators is unrolled by pragma, see
// gemm_tile.cpp.

#include "winograd_products.h"

namespace UNCIAL_SIMD::winograd {
namespace {

template <int kTilesHere>
[[gnu::always_inline]] inline void store_block(const V (*sum)[kTilesHere], float* to) {
#pragma GCC unroll 16
  for (int i = 0; i < kBlock; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kTilesHere; ++j) store<float>(to + (i * kTilesHere + j) * kLanes, sum[i][j]);
}

/// kBlock channels of the result at one point: sum over `n` channels of a panel, times weights. Weight (i, l)
/// for result i and summand l of a block lies at i * kStepI + l * kStepL; the next block is `block` floats
/// on.
template <int kTilesHere, int kStepI, int kStepL>
[[gnu::noinline]] void multiply(int64_t n, const float* u, int64_t block, const float* x, float* to) {
  V sum[kBlock][kTilesHere] = {};
  for (int64_t done = 0; done < n; done += kBlock, u += block, x += block_step(kTilesHere)) {
    const float *left = u, *right = x;
    for (int64_t l = lesser(n - done, kBlock); l > 0; --l, left += kStepL, right += kTilesHere * kLanes) {
      V v[kTilesHere];
#pragma GCC unroll 4
      for (int j = 0; j < kTilesHere; ++j) v[j] = load(right + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kBlock; ++i) {
        const float weight = left[i * kStepI];
#pragma GCC unroll 4
        for (int j = 0; j < kTilesHere; ++j) sum[i][j] += weight * v[j];
      }
    }
  }
  store_block<kTilesHere>(sum, to);
}

/// kBlock filters x kVectors vectors of channels of the sums at one point, over `positions` (tile, lane).
template <int kVectors>
[[gnu::noinline]] void accumulate(int64_t positions, const float* dy, const float* x, float* sums) {
  V sum[kBlock][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kBlock; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = load(sums + (i * kVectors + j) * kLanes);
  for (int64_t t = 0; t < positions; ++t, x += kVectors * kLanes) {
    V v[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) v[j] = load(x + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kBlock; ++i) {
      const float gradient = dy[i * positions + t];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] += gradient * v[j];
    }
  }
  store_block<kVectors>(sum, sums);
}

}  // namespace

void forward_products(const TilePass& pass, int64_t C, int64_t K, const float* u, const float* x, int64_t k0,
                      int64_t k1, float* m) {
  const int64_t filters = weight_step(C), point = round_up(K, kBlock) / kBlock * filters;
  for (int p = 0; p < kPoints; ++p)
    for (int64_t k = k0; k < k1; k += kBlock)
      for (int g = 0; g < pass.groups; ++g)
        with_count(pass.group[g].count, [&](auto count) {
          constexpr int tiles = count;
          multiply<tiles, 1, kBlock>(
              C, u + p * point + k / kBlock * filters, kBlock * kBlock,
              x + g * panel_floats(C) + p * point_step(tiles),
              m + g * panel_floats(k1 - k0) + (k - k0) / kBlock * block_step(tiles) + p * point_step(tiles));
        });
}

void input_gradient_products(const TilePass& pass, int64_t C, int64_t K, const float* u, const float* dy,
                             float* dx) {
  const int64_t filters = weight_step(C), point = round_up(K, kBlock) / kBlock * filters;
  for (int p = 0; p < kPoints; ++p)
    for (int64_t c = 0; c < C; c += kBlock)
      for (int g = 0; g < pass.groups; ++g)
        with_count(pass.group[g].count, [&](auto count) {
          constexpr int tiles = count;
          multiply<tiles, kBlock, 1>(
              K, u + p * point + c * kBlock, filters, dy + g * panel_floats(K) + p * point_step(tiles),
              dx + g * panel_floats(C) + c / kBlock * block_step(tiles) + p * point_step(tiles));
        });
}

void weight_gradient_products(const TilePass& pass, int64_t C, int64_t K, const float* dy, const float* x,
                              float* sums) {
  const SumsLayout layout(C, K);
  const int64_t vectors = ChannelPanel::vectors(C);
  for (int p = 0; p < kPoints; ++p)
    for (int64_t vector = 0; vector < vectors;) {
      const int part = next_part(vectors - vector);
      for (int64_t k = 0; k < K; k += kBlock)
        for (int g = 0; g < pass.groups; ++g)
          with_count(part, [&](auto count) {
            const int tiles = pass.group[g].count;
            accumulate<count>(
                tiles * kLanes,
                dy + g * panel_floats(K) + k / kBlock * block_step(tiles) + p * point_step(tiles),
                x + g * ChannelPanel::floats(C) + ChannelPanel::part_start(vector, tiles) +
                    p * tiles * kLanes * count * kLanes,
                sums + p * layout.point + layout.offset_in_part(k, vector, count));
          });
      vector += part;
    }
}

}  // namespace UNCIAL_SIMD::winograd
