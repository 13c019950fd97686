// Blocks of pooled sums: filters x windows of 2x2, four sums a window, in registers until the larger one
// wins.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

/// Filters [o, o + kOutputs), windows [q, q + kWindows).
/// kTaps: taps of a row, or 0 where the number is not known. kDense: the inputs of two sums are one vector
/// apart.
template <int kOutputs, int kWindows, bool kDense, int kTaps>
void block(const GatherRow& g, int64_t o, int64_t q, GatherPart part) {
  const int64_t step = kDense ? kLanes : g.step;
  V sum[kOutputs][2][2 * kWindows];
  if (part.begin == 0) {
#pragma GCC unroll 8
    for (int i = 0; i < kOutputs; ++i) {
      const V first = broadcast(g.bias ? g.bias[o + i] : 0.0f);
#pragma GCC unroll 32
      for (int j = 0; j < 4 * kWindows; ++j) sum[i][j % 2][j / 2] = first;
    }
  } else {
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs * 4 * kWindows; ++i)
      sum[i / (4 * kWindows)][i % 2][i / 2 % (2 * kWindows)] = load(part.partial + i * kLanes);
  }
  const auto tap = [&](const float* x, const float* w) __attribute__((always_inline)) {
    const Spread weights = Spread::of<kOutputs>(w, g.w_output);
    V weight[kOutputs];
#pragma GCC unroll 8
    for (int i = 0; i < kOutputs; ++i) weight[i] = broadcast(weights.at(i));
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const float* const pixels = kDense ? in_register(x + h * g.below) : x + h * g.below;
#pragma GCC unroll 16
      for (int j = 0; j < 2 * kWindows; ++j) {
        const V from_memory = load(pixels + j * step);
        const V pixel = kOutputs > 1 ? in_register(from_memory) : from_memory;
#pragma GCC unroll 8
        for (int i = 0; i < kOutputs; ++i) sum[i][h][j] += weight[i] * pixel;
      }
    }
  };
  for_taps<kTaps>(g, part, o, 2 * q * step, tap);
  if (part.end < g.channels) {
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs * 4 * kWindows; ++i)
      store(part.partial + i * kLanes, sum[i / (4 * kWindows)][i % 2][i / 2 % (2 * kWindows)]);
    return;
  }
  // No branch on whether codes are wanted: the compiler would hoist what both sides share, and spill it.
  WinnerCode ignored[kLanes];
  WinnerCode* codes = g.winners ? g.winners + o * g.winners_output + q * kLanes : ignored;
  const int64_t codes_output = g.winners ? g.winners_output : 0, codes_step = g.winners ? kLanes : 0;
  const V floor = broadcast(g.floor);
#pragma GCC unroll 8
  for (int i = 0; i < kOutputs; ++i) {
    float* y = g.y + (o + i) * g.y_output + q * g.y_step;
#pragma GCC unroll 8
    for (int j = 0; j < kWindows; ++j) {
      const V *top = sum[i][0] + 2 * j, *bottom = sum[i][1] + 2 * j;
      store(y + j * g.y_step, pool_window(top[0], top[1], bottom[0], bottom[1], floor,
                                          codes + i * codes_output + j * codes_step));
    }
  }
}

template <int kOutputs, int kWindows, bool kDense, int kTaps>
GatherBlock block_of(int64_t windows) {
  if constexpr (kWindows > 1)
    if (windows < kWindows) return block_of<kOutputs, kWindows - 1, kDense, kTaps>(windows);
  return block<kOutputs, kWindows, kDense, kTaps>;
}

template <int kOutputs, int kWindows>
constexpr GatherShape dense() {
  return {kOutputs, kWindows, block_of<kOutputs, kWindows, true, 0>, block_of<kOutputs, kWindows, true, 3>};
}
template <int kOutputs, int kWindows>
constexpr GatherShape strided() {
  constexpr int most = kWindows;
  return {kOutputs, most, block_of<kOutputs, most, false, 0>, block_of<kOutputs, most, false, 0>};
}

#if defined(UNCIAL_SIMD_avx512)
#define UNCIAL_POOLED_BLOCKS(d) \
  { d<4, 1>(), d<3, 2>(), d<2, 3>(), d<1, 4>() }
#elif defined(UNCIAL_SIMD_avx2)
#define UNCIAL_POOLED_BLOCKS(d) \
  { d<3, 1>(), d<2, 1>(), d<1, 3>(), d<1, 1>() }
#else
#define UNCIAL_POOLED_BLOCKS(d) \
  { d<2, 1>(), d<1, 2>(), d<1, 1>(), d<1, 1>() }
#endif

}  // namespace

extern const GatherShape pooled_blocks[2][kGatherShapes] = {UNCIAL_POOLED_BLOCKS(strided),
                                                            UNCIAL_POOLED_BLOCKS(dense)};

}  // namespace UNCIAL_SIMD
