// A direct convolution with 2x2 max pooling: blocks of filters x windows, four sums a window, in registers.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

#if defined(UNCIAL_SIMD_avx512)
constexpr int kMaxWindows[] = {0, 6, 3, 2, 1};  // for 1 to 4 filters
#else
constexpr int kMaxWindows[] = {0, 3, 1, 1, 0};
#endif

/// The larger of each lane, the first among equals; `code` becomes `other_code` where `other` is larger.
[[gnu::always_inline]] inline void keep_larger(V& best, Codes& code, V other, Codes other_code) {
  const auto wins = other > best;
  best = wins ? other : best;
  code = wins ? other_code : code;
}

/// The maximum of a window, its winner in `code`.
[[gnu::always_inline]] inline V pool(const V* top, const V* bottom, bool with_relu, Codes& code) {
  V upper = top[0], lower = bottom[0];
  code = Codes{};
  Codes lower_code = Codes{} + 2;
  keep_larger(upper, code, top[1], Codes{} + 1);
  keep_larger(lower, lower_code, bottom[1], Codes{} + 3);
  keep_larger(upper, code, lower, lower_code);
  if (!with_relu) return upper;
  code = upper > V{} ? code : Codes{} + uncial::cpu::kNoWinner;
  return relu(upper);
}

/// Filters [o, o + kOutputs), windows [q, q + kWindows). kDense as in the plain form.
template <int kOutputs, int kWindows, bool kDense>
void block(const PooledRow& p, int64_t o, int64_t q) {
  const GatherRow& g = p.top;
  const int64_t step = kDense ? kLanes : g.step;
  V sum[kOutputs][2][2 * kWindows];
#pragma GCC unroll 8
  for (int i = 0; i < kOutputs; ++i) {
    const V first = V{} + (g.bias ? g.bias[o + i] : 0.0f);
#pragma GCC unroll 16
    for (int j = 0; j < 4 * kWindows; ++j) sum[i][j % 2][j / 2] = first;
  }
  for (int64_t c = 0; c < g.channels; ++c)
    for (int64_t r = 0; r < g.R; ++r) {
      const float* x = g.rows[r] + 2 * q * step + c * g.plane;
      const float* w = g.w + o * g.w_output + c * g.w_channel + g.w_rows[r];
      for (int64_t s = 0; s < g.S; ++s, x += g.tap, w += g.w_tap) {
        float weight[kOutputs];
#pragma GCC unroll 8
        for (int i = 0; i < kOutputs; ++i) weight[i] = w[i * g.w_output];
#pragma GCC unroll 2
        for (int h = 0; h < 2; ++h)
#pragma GCC unroll 16
          for (int j = 0; j < 2 * kWindows; ++j) {
            const V pixel = load(x + h * p.below + j * step);
#pragma GCC unroll 8
            for (int i = 0; i < kOutputs; ++i) sum[i][h][j] += weight[i] * pixel;
          }
      }
    }
#pragma GCC unroll 8
  for (int i = 0; i < kOutputs; ++i) {
    float* y = g.y + (o + i) * g.y_output + q * g.y_step;
#pragma GCC unroll 8
    for (int j = 0; j < kWindows; ++j) {
      Codes code;
      store(y + j * g.y_step, pool(sum[i][0] + 2 * j, sum[i][1] + 2 * j, g.relu, code));
      if (p.winners) store_codes(p.winners + (o + i) * p.winners_output + (q + j) * kLanes, code);
    }
  }
}

using Block = void (*)(const PooledRow&, int64_t, int64_t);

template <int kOutputs, int kWindows, bool kDense>
Block block_of(int64_t windows) {
  if constexpr (kWindows > 1)
    if (windows < kWindows) return block_of<kOutputs, kWindows - 1, kDense>(windows);
  return block<kOutputs, kWindows, kDense>;
}

struct Plan {
  Block block = nullptr;
  int64_t outputs = 0, windows = 0, cost = 0;
};

template <bool kDense, int outputs>
void consider(const GatherRow& g, Plan& best) {
  constexpr int most = kMaxWindows[outputs];
  if constexpr (most > 0) {
    if (g.outputs < outputs) return;
    const int64_t blocks = ceil_div(g.columns, most), windows = ceil_div(g.columns, blocks);
    const int64_t cost = ceil_div(g.outputs, outputs) * blocks *
                         (larger(larger(outputs * windows * 4, 8), outputs + windows * 4) + 2);
    if (best.block && best.cost <= cost) return;
    best = {block_of<outputs, most, kDense>(windows), outputs, windows, cost};
  }
}

template <bool kDense>
Plan plan(const GatherRow& g) {
  Plan best;
  consider<kDense, 4>(g, best);
  consider<kDense, 3>(g, best);
  consider<kDense, 2>(g, best);
  consider<kDense, 1>(g, best);
  return best;
}

}  // namespace

void pooled_row(const PooledRow& row) {
  const GatherRow& g = row.top;
  if (g.outputs <= 0 || g.columns <= 0) return;
  const Plan p = g.step == kLanes ? plan<true>(g) : plan<false>(g);
  const auto at_output = [&](int64_t o, int64_t q) {
    p.block(row, smaller(o, g.outputs - p.outputs), smaller(q, g.columns - p.windows));
  };
  constexpr int64_t kL1Floats = 6 * 1024;
  if (g.channels * (g.R + 1) * g.columns * 2 * g.step <= kL1Floats) {
    for (int64_t o = 0; o < g.outputs; o += p.outputs)
      for (int64_t q = 0; q < g.columns; q += p.windows) at_output(o, q);
  } else {
    for (int64_t q = 0; q < g.columns; q += p.windows)
      for (int64_t o = 0; o < g.outputs; o += p.outputs) at_output(o, q);
  }
}

}  // namespace UNCIAL_SIMD
