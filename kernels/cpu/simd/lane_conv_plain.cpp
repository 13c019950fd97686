// Blocks of plain sums: outputs x columns stay in registers over channels and taps, weights are broadcast,
// every tap is one load.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

/// Outputs [o, o + kOutputs), columns [q, q + kColumns).
/// kTaps: taps of a row, or 0 where the number is not known. kDense: the inputs of two columns are one vector
/// apart.
template <int kOutputs, int kColumns, bool kDense, int kTaps>
void block(const GatherRow& g, int64_t o, int64_t q, GatherPart part) {
  const int64_t step = kDense ? kLanes : g.step;
  V sum[kOutputs][kColumns];
  if (part.begin == 0) {
#pragma GCC unroll 8
    for (int i = 0; i < kOutputs; ++i) {
      const V first = broadcast(g.bias ? g.bias[o + i] : 0.0f);
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j) sum[i][j] = first;
    }
  } else {
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs * kColumns; ++i)
      sum[i / kColumns][i % kColumns] = load(part.partial + i * kLanes);
  }
  const auto tap = [&](const float* x, const float* w) __attribute__((always_inline)) {
    const Spread weights = Spread::of<kOutputs>(w, g.w_output);
    const float* const pixels = kDense ? in_register(x) : x;
    // The longer side is walked over, the other one waits in registers.
    if constexpr (kOutputs <= kColumns) {
      V weight[kOutputs];
#pragma GCC unroll 8
      for (int i = 0; i < kOutputs; ++i) weight[i] = broadcast(weights.at(i));
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j) {
        const V pixel = kOutputs > 1 ? in_register(load(pixels + j * step)) : load(pixels + j * step);
#pragma GCC unroll 8
        for (int i = 0; i < kOutputs; ++i) sum[i][j] += weight[i] * pixel;
      }
    } else {
      V pixel[kColumns];
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j) pixel[j] = in_register(load(pixels + j * step));
#pragma GCC unroll 8
      for (int i = 0; i < kOutputs; ++i) {
        const float weight = weights.at(i);
#pragma GCC unroll 16
        for (int j = 0; j < kColumns; ++j) sum[i][j] += weight * pixel[j];
      }
    }
  };
  float* const y = g.y + o * g.y_output + q * g.y_step;
  if (part.end == g.channels && !g.stream) {
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs * kColumns; ++i)
      __builtin_prefetch(y + i / kColumns * g.y_output + i % kColumns * g.y_step, 1);
  }
  for_taps<kTaps>(g, part, o, q * step, tap);
  if (part.end < g.channels) {
#pragma GCC unroll 32
    for (int i = 0; i < kOutputs * kColumns; ++i)
      store(part.partial + i * kLanes, sum[i / kColumns][i % kColumns]);
    return;
  }
  if (g.skip) {
    const float* skip = g.skip + o * g.skip_output + q * kLanes;
#pragma GCC unroll 8
    for (int i = 0; i < kOutputs; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j) sum[i][j] += load(skip + i * g.skip_output + j * kLanes);
  }
  const V floor = broadcast(g.floor);
  const auto finish = [&](auto put) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int i = 0; i < kOutputs; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < kColumns; ++j)
        put(y + i * g.y_output + j * g.y_step, larger_lanes(sum[i][j], floor));
  };
  if (g.stream)
    finish([](float* to, V v) __attribute__((always_inline)) { stream(to, v); });
  else
    finish([](float* to, V v) __attribute__((always_inline)) { store(to, v); });
}

template <int kOutputs, int kColumns, bool kDense, int kTaps>
GatherBlock block_of(int64_t columns) {
  if constexpr (kColumns > 1)
    if (columns < kColumns) return block_of<kOutputs, kColumns - 1, kDense, kTaps>(columns);
  return block<kOutputs, kColumns, kDense, kTaps>;
}

template <int kOutputs, int kColumns>
constexpr GatherShape dense() {
  return {kOutputs, kColumns, block_of<kOutputs, kColumns, true, 0>, block_of<kOutputs, kColumns, true, 3>};
}
template <int kOutputs, int kColumns>
constexpr GatherShape strided() {
  // There are more distances than registers for addresses.
  constexpr int most = kColumns < 6 ? kColumns : 6;
  return {kOutputs, most, block_of<kOutputs, most, false, 0>, block_of<kOutputs, most, false, 0>};
}

#if defined(UNCIAL_SIMD_avx512)
#define UNCIAL_PLAIN_BLOCKS(d) \
  { d<8, 3>(), d<4, 6>(), d<2, 13>(), d<1, 13>() }
#elif defined(UNCIAL_SIMD_avx2)
#define UNCIAL_PLAIN_BLOCKS(d) \
  { d<4, 3>(), d<3, 4>(), d<2, 6>(), d<1, 12>() }
#else  // a product needs a register before it is added
#define UNCIAL_PLAIN_BLOCKS(d) \
  { d<4, 2>(), d<3, 3>(), d<2, 5>(), d<1, 10>() }
#endif

}  // namespace

extern const GatherShape plain_blocks[2][kGatherShapes] = {UNCIAL_PLAIN_BLOCKS(strided),
                                                           UNCIAL_PLAIN_BLOCKS(dense)};

}  // namespace UNCIAL_SIMD
