// The inner product of direct convolutions: a block of outputs x columns of sums stays in registers over all
// channels and taps, weights are broadcast, every tap is one load. The block is picked by the extents.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

#if defined(UNCIAL_SIMD_avx512)
constexpr int kMaxColumns[] = {13, 13, 6, 3};  // for 1, 2, 4, 8 outputs: 24 or 26 sums of 32 registers
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kMaxColumns[] = {12, 6, 3, 1};
#else
constexpr int kMaxColumns[] = {10, 5, 2, 1};  // a product needs a register before it is added
#endif
constexpr int kMaxStridedColumns = 6;  // more distances than there are registers for addresses

/// Outputs [o, o + kOutputs), columns [q, q + kColumns). kDense: the inputs of two columns are one vector
/// apart.
template <int kOutputs, int kColumns, bool kDense>
void block(const GatherRow& g, int64_t o, int64_t q) {
  const int64_t step = kDense ? kLanes : g.step;
  V sum[kOutputs][kColumns];
#pragma GCC unroll 8
  for (int i = 0; i < kOutputs; ++i) {
    const V first = V{} + (g.bias ? g.bias[o + i] : 0.0f);
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) sum[i][j] = first;
  }
  for (int64_t c = 0; c < g.channels; ++c)
    for (int64_t r = 0; r < g.R; ++r) {
      const float* x = g.rows[r] + q * step + c * g.plane;
      const float* w = g.w + o * g.w_output + c * g.w_channel + g.w_rows[r];
      for (int64_t s = 0; s < g.S; ++s, x += g.tap, w += g.w_tap) {
        V pixel[kColumns];
#pragma GCC unroll 16
        for (int j = 0; j < kColumns; ++j) pixel[j] = load(x + j * step);
#pragma GCC unroll 8
        for (int i = 0; i < kOutputs; ++i) {
          const float weight = w[i * g.w_output];
#pragma GCC unroll 16
          for (int j = 0; j < kColumns; ++j) sum[i][j] += weight * pixel[j];
        }
      }
    }
#pragma GCC unroll 8
  for (int i = 0; i < kOutputs; ++i) {
    float* y = g.y + (o + i) * g.y_output + q * g.y_step;
#pragma GCC unroll 16
    for (int j = 0; j < kColumns; ++j) store(y + j * g.y_step, g.relu ? relu(sum[i][j]) : sum[i][j]);
  }
}

using Block = void (*)(const GatherRow&, int64_t, int64_t);

template <int kOutputs, int kColumns, bool kDense>
Block block_of(int64_t columns) {
  if constexpr (kColumns > 1)
    if (columns < kColumns) return block_of<kOutputs, kColumns - 1, kDense>(columns);
  return block<kOutputs, kColumns, kDense>;
}

template <bool kDense, int i>
constexpr int max_columns() {
  return kDense || kMaxColumns[i] < kMaxStridedColumns ? kMaxColumns[i] : kMaxStridedColumns;
}

/// The block with the least estimated time. Columns are shared out evenly, and the last blocks of a row
/// overlap the ones before: what is computed twice is cheaper than a block too small to fill the units.
struct Plan {
  Block block = nullptr;
  int64_t outputs = 0, columns = 0, cost = 0;
};

template <bool kDense, int i>
void consider(const GatherRow& g, Plan& best) {
  constexpr int outputs = 1 << i, most = max_columns<kDense, i>();
  if (g.outputs < outputs) return;
  const int64_t blocks = ceil_div(g.columns, most), columns = ceil_div(g.columns, blocks);
  // Half cycles a tap: multiply-adds (8 at least, for their latency), or loads; and some for the loop.
  const int64_t cost =
      ceil_div(g.outputs, outputs) * blocks * (larger(larger(outputs * columns, 8), outputs + columns) + 2);
  if (best.block && best.cost <= cost) return;
  best = {block_of<outputs, most, kDense>(columns), outputs, columns, cost};
}

template <bool kDense>
Plan plan(const GatherRow& g) {
  Plan best;
  consider<kDense, 3>(g, best);
  consider<kDense, 2>(g, best);
  consider<kDense, 1>(g, best);
  consider<kDense, 0>(g, best);
  return best;
}

}  // namespace

void gather_row(const GatherRow& g) {
  if (g.outputs <= 0 || g.columns <= 0) return;
  const Plan p = g.step == kLanes ? plan<true>(g) : plan<false>(g);
  const auto at_output = [&](int64_t o, int64_t q) {
    p.block(g, smaller(o, g.outputs - p.outputs), smaller(q, g.columns - p.columns));
  };
  // The inputs of a block of columns stay in L1 for all outputs; where those of the whole row do, the outputs
  // of a row are written one after the other.
  constexpr int64_t kL1Floats = 6 * 1024;
  if (g.channels * g.R * g.columns * g.step <= kL1Floats) {
    for (int64_t o = 0; o < g.outputs; o += p.outputs)
      for (int64_t q = 0; q < g.columns; q += p.columns) at_output(o, q);
  } else {
    for (int64_t q = 0; q < g.columns; q += p.columns)
      for (int64_t o = 0; o < g.outputs; o += p.outputs) at_output(o, q);
  }
}

}  // namespace UNCIAL_SIMD
