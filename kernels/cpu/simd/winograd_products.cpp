// Register-blocked products of Winograd convolutions. Every loop over accumulators is unrolled by pragma, see
// gemm_tile.cpp.

#include "winograd_products.h"

namespace UNCIAL_SIMD::winograd {
namespace {

template <int kRows, int kVectors>
[[gnu::always_inline]] inline void store_block(const V (*sum)[kVectors], float* to) {
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store<float>(to + (i * kVectors + j) * kLanes, sum[i][j]);
}

template <int kVectors>
[[gnu::always_inline]] inline void prefetch_block(const float* block) {
#pragma GCC unroll 32
  for (int i = 0; i < kVectors * kLanes; i += kLine) __builtin_prefetch(block + i);
}

template <int kVectors>
[[gnu::always_inline]] inline void prefetch_vectors(const float* p) {
#pragma GCC unroll 4
  for (int j = 0; j < kVectors; ++j) __builtin_prefetch(p + j * kLanes);
}

/// kBlock channels of the result at one point: sum over `n` channels of a panel, times weights. Weight (i, l)
/// for result i and summand l of a block lies at i * kStepI + l * kStepL; the next block is `block` floats
/// on. What the next register block reads, `ahead` floats on, is fetched into level 1 meanwhile; 0 if it is
/// the same.
struct Ahead {
  int64_t weights, x;
};
template <int kTilesHere, int kStepI, int kStepL>
[[gnu::noinline]] void multiply(int64_t n, const float* u, int64_t block, const float* x, Ahead ahead,
                                float* to) {
  prefetch_block<kBlock * kTilesHere>(to);
  V sum[kBlock][kTilesHere] = {};
  for (int64_t done = 0; done < n; done += kBlock, u += block, x += block_step(kTilesHere)) {
    const float *left = u, *right = x, *next = u + ahead.weights;
    for (int64_t l = lesser(n - done, kBlock); l > 0; --l) {
      V v[kTilesHere];
#pragma GCC unroll 4
      for (int j = 0; j < kTilesHere; ++j) v[j] = load(right + j * kLanes);
      prefetch_vectors<kTilesHere>(right + ahead.x);
      __builtin_prefetch(next);
#pragma GCC unroll 16
      for (int i = 0; i < kBlock; ++i) {
        const float weight = left[i * kStepI];
#pragma GCC unroll 4
        for (int j = 0; j < kTilesHere; ++j) sum[i][j] += weight * v[j];
      }
      left += kStepL;
      right += kTilesHere * kLanes;
      next += kBlock;
    }
  }
  store_block<kBlock, kTilesHere>(sum, to);
}

/// What a vector of channels is multiplied by: one gradient, or a pair by turns.
template <bool kPaired>
[[gnu::always_inline]] inline V broadcast_gradient(const float* dy) {
  if constexpr (kPaired) {
    using Pairs [[gnu::vector_size(sizeof(V))]] = long long;
    long long pair;
    __builtin_memcpy(&pair, dy, sizeof pair);
    return (V)(Pairs{} + pair);
  } else {
    return *dy - V{};
  }
}

/// kRows filters x kVectors vectors of channels of the sums at one point, over the positions (tile, lane, or
/// pair of lanes) of a group. The first filter is number kPhase of its block. Fetches the next sums and the
/// same filters' dy of the next point; x too would cost more loads than it saves (measured).
template <int kRows, int kPhase, int kVectors, int kTilesHere, bool kPaired>
[[gnu::noinline]] void accumulate(const float* dy, const float* x, float* sums) {
  constexpr int positions = kTilesHere * kLanes;
  constexpr auto offset = [](int i) {
    return (kPhase + i) / kBlock * block_step(kTilesHere) + (kPhase + i) % kBlock * positions;
  };
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = load(sums + (i * kVectors + j) * kLanes);
  prefetch_block<kRows * kVectors>(sums + kRows * kVectors * kLanes);
  for (int t = 0; t < positions; t += kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) __builtin_prefetch(dy + offset(i) + point_step(kTilesHere) + t);
    for (int l = 0; l < kLanes; l += kPaired ? 2 : 1, x += kVectors * kLanes) {
      V v[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) v[j] = load(x + j * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const V gradient = broadcast_gradient<kPaired>(dy + offset(i) + t + l);
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) sum[i][j] += gradient * v[j];
      }
    }
  }
  store_block<kRows, kVectors>(sum, sums);
}

/// The sums of kBlocks blocks of filters for one part of the channels at one point, kRows filters at a time.
template <int kBlocks, int kRows, int kVectors, int kTilesHere, bool kPaired>
[[gnu::always_inline]] inline void accumulate_blocks(const float* dy, const float* x, float* sums) {
  const auto all = [=]<int... I>(std::integer_sequence<int, I...>) {
    (accumulate<kRows, I * kRows % kBlock, kVectors, kTilesHere, kPaired>(
         dy + I * kRows / kBlock * block_step(kTilesHere), x, sums + I * kRows * kVectors * kLanes),
     ...);
  };
  all(std::make_integer_sequence<int, kBlocks * kBlock / kRows>());
}

template <int kVectors, int kTilesHere, bool kPaired>
void accumulate_part(int64_t blocks, const float* dy, const float* x, float* sums) {
  // Loads, not multiply-adds, are the limit, so that squarer blocks pay; with little to choose, those of more
  // sums. GFLOP/s on data in level 1, where loads alone would allow 120 and multiply-adds about 215: 8
  // filters x 1 vector 100, 16 x 1 106; 8 x 2 168, 12 x 2 182; 8 x 3 198; 4 x 4 195.
  constexpr int kBlocks = kVectors == 1 ? 2 : kVectors < kTiles ? 3 : 1;
  constexpr int kRows = kVectors == 1       ? 2 * kBlock
                        : kVectors < kTiles ? kBlock * 3 / 2
                        : kVectors > kTiles ? kBlock / 2
                                            : kBlock;
  constexpr int64_t step = block_step(kTilesHere), row = kBlock * kVectors * kLanes;
  for (; blocks >= kBlocks; blocks -= kBlocks, dy += kBlocks * step, sums += kBlocks * row)
    accumulate_blocks<kBlocks, kRows, kVectors, kTilesHere, kPaired>(dy, x, sums);
  if constexpr (kBlocks > 1)
    for (; blocks > 0; --blocks, dy += step, sums += row)
      accumulate_blocks<1, kBlock, kVectors, kTilesHere, kPaired>(dy, x, sums);
}

}  // namespace

void forward_products(const TilePass& pass, int64_t C, int64_t K, const float* u, const float* x, int64_t k0,
                      int64_t k1, float* m) {
  const int64_t filters = weight_step(C), point = round_up(K, kBlock) / kBlock * filters;
  for (int p = 0; p < kPoints; ++p)
    for (int64_t k = k0; k < k1; k += kBlock)
      for (int g = 0; g < pass.groups; ++g)
        with_count(pass.group[g].count, [&](auto count) {
          constexpr int64_t step = point_step(count);
          multiply<count, 1, kBlock>(
              C, u + p * point + k / kBlock * filters, kBlock * kBlock, x + g * panel_floats(C) + p * step,
              {filters, k + kBlock < k1 ? 0 : step},
              m + g * panel_floats(k1 - k0) + (k - k0) / kBlock * block_step(count) + p * step);
        });
}

void input_gradient_products(const TilePass& pass, int64_t C, int64_t K, const float* u, const float* dy,
                             float* dx) {
  const int64_t filters = weight_step(C), point = round_up(K, kBlock) / kBlock * filters;
  for (int p = 0; p < kPoints; ++p)
    for (int64_t c = 0; c < C; c += kBlock)
      for (int g = 0; g < pass.groups; ++g)
        with_count(pass.group[g].count, [&](auto count) {
          constexpr int64_t step = point_step(count);
          multiply<count, kBlock, 1>(K, u + p * point + c * kBlock, filters,
                                     dy + g * panel_floats(K) + p * step,
                                     {kBlock * kBlock, c + kBlock < C ? 0 : step},
                                     dx + g * panel_floats(C) + c / kBlock * block_step(count) + p * step);
        });
}

void weight_gradient_products(const TilePass& pass, int64_t C, int64_t K, const float* dy, const float* x,
                              float* sums) {
  const SumsLayout layout(C, K);
  const int64_t vectors = ChannelPanel::vectors(C);
  for (int p = 0; p < kPoints; ++p)
    for (int64_t start = 0; start < vectors;) {
      const int part = next_part<kMostVectors>(vectors - start);
      for (int g = 0; g < pass.groups; ++g)
        with_count<kMostVectors>(part, [&](auto part_vectors) {
          with_count(pass.group[g].count, [&](auto tiles) {
            const int64_t blocks = round_up(K, kBlock) / kBlock;
            const float* dy_panel = dy + g * panel_floats(K) + p * point_step(tiles);
            const float* x_panel = x + g * ChannelPanel::floats(C) + ChannelPanel::part_start(start, tiles) +
                                   p * ChannelPanel::point_step(part_vectors, tiles);
            float* to = sums + p * layout.point + layout.offset_in_part(0, start, part_vectors);
            if constexpr (kLanes == 16 && part_vectors == 1)
              if (ChannelPanel::paired(C))
                return accumulate_part<1, tiles, true>(blocks, dy_panel, x_panel, to);
            accumulate_part<part_vectors, tiles, false>(blocks, dy_panel, x_panel, to);
          });
        });
      start += part;
    }
}

}  // namespace UNCIAL_SIMD::winograd
