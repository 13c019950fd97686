// How a row of direct convolution is cut into blocks.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

// What stays in L1 (48 KiB on the machine this was tuned on; 32 elsewhere) while all outputs read it.
constexpr int64_t kL1Floats = 6 * 1024;
/// Sums that wait for the other channels.
constexpr int64_t kPartialFloats = 6 * 1024;

/// Floats of one channel that `columns` results of a row read.
int64_t input_floats(const GatherRow& g, bool pooled, int64_t columns) {
  const int64_t sums = pooled ? 2 * columns : columns;
  const int64_t tap = g.tap < 0 ? -g.tap : g.tap;
  return (g.R + pooled) * ((sums - 1) * g.step + (g.S - 1) * tap + kLanes);
}

/// Part i of n of the pixels that the blocks at result q and channels `part` will read: each channel lies in
/// another page, which no prefetcher of the machine follows.
[[gnu::always_inline]] inline void prefetch_pixels(const GatherRow& g, const GatherPlan& p, int64_t q,
                                                   const GatherPart& part, int64_t i, int64_t n) {
  const int64_t channels = part.end - part.begin, begin = part.begin + channels * i / n,
                end = part.begin + channels * (i + 1) / n;
  const int64_t first = (p.pooled ? 2 * q : q) * g.step, floats = (p.pooled ? 2 : 1) * p.columns * g.step;
  for (int64_t c = begin; c < end; ++c)
    for (int64_t r = 0; r < g.R; ++r)
      for (int64_t f = 0; f < floats; f += kLanes) __builtin_prefetch(g.rows[r] + c * g.plane + first + f);
}

}  // namespace

GatherPlan plan_gather(const GatherRow& g, bool pooled) {
  GatherPlan best = {};
  const int64_t sums = pooled ? 4 : 1;
  for (const GatherShape& shape : (pooled ? pooled_blocks : plain_blocks)[g.step == kLanes]) {
    if (g.outputs < shape.outputs || g.columns < 1) continue;
    // Shared out evenly: the last blocks of a row overlap the ones before. What is computed twice is cheaper
    // than a block too small to fill the units.
    const int64_t blocks = ceil_div(g.columns, shape.most), columns = ceil_div(g.columns, blocks);
    // Half cycles a tap: multiply-adds (8 at least, for their latency), or loads; and some for the loop.
    const int64_t busy = larger(larger(shape.outputs * columns * sums, 8), shape.outputs + columns * sums);
    const int64_t cost = ceil_div(g.outputs, shape.outputs) * blocks * (busy + 2);
    if (best.block && best.cost <= cost) continue;
    best = {(g.S == 3 ? shape.of_width_3 : shape.of_width)(columns),
            shape.outputs,
            columns,
            0,
            cost,
            pooled,
            false};
  }
  if (const int64_t most = most_sliding(g, pooled); most > 0 && g.columns > 0) {
    const int64_t blocks = ceil_div(g.columns, most), columns = ceil_div(g.columns, blocks);
    const int64_t rows = pooled ? 2 : 1, useful = smaller(rows * g.columns, g.seen_end - g.seen_begin);
    const int64_t cost = g.outputs * (larger(rows * useful, 8 * blocks) + blocks);
    if (!best.block || cost < best.cost)
      best = {sliding_block(g, pooled, columns), 1, columns, 0, cost, pooled, false};
  }
  if (!best.block) return best;
  const int64_t at_once = larger(1, kL1Floats / larger(1, input_floats(g, pooled, best.columns)));
  best.channels = ceil_div(g.channels, ceil_div(g.channels, at_once));
  best.outputs_first = g.channels * input_floats(g, pooled, g.columns) <= kL1Floats;
  return best;
}

void gather_row(const GatherRow& g, const GatherPlan& p) {
  if (!p.block) return;
  const auto block = [&](int64_t o, int64_t q, GatherPart part) {
    p.block(g, smaller(o, g.outputs - p.outputs), smaller(q, g.columns - p.columns), part);
  };
  const GatherPart whole = {0, g.channels, nullptr};
  if (p.outputs_first) {  // each output's row is written from end to end
    for (int64_t o = 0; o < g.outputs; o += p.outputs)
      for (int64_t q = 0; q < g.columns; q += p.columns) block(o, q, whole);
    return;
  }
  const int64_t blocks = ceil_div(g.outputs, p.outputs);
  if (p.channels >= g.channels) {
    for (int64_t q = 0; q < g.columns; q += p.columns)
      for (int64_t i = 0; i < blocks; ++i) {
        prefetch_pixels(g, p, q + p.columns, whole, i, blocks);
        block(i * p.outputs, q, whole);
      }
    return;
  }
  // Some channels for many outputs, then the next ones: their pixels are in L1 for all but the first output.
  alignas(64) float partial[kPartialFloats];
  constexpr int64_t kBlockFloats = 26 * kLanes, kBlocks = kPartialFloats / kBlockFloats;
  for (int64_t q = 0; q < g.columns; q += p.columns)
    for (int64_t first = 0; first < blocks; first += kBlocks) {
      const int64_t count = smaller(kBlocks, blocks - first);
      for (int64_t c = 0; c < g.channels; c += p.channels) {
        const int64_t end = smaller(g.channels, c + p.channels);
        const GatherPart next = end < g.channels
                                    ? GatherPart{end, smaller(g.channels, end + p.channels), nullptr}
                                    : GatherPart{0, p.channels, nullptr};
        const int64_t next_q = end < g.channels || first + count < blocks ? q : q + p.columns;
        for (int64_t i = 0; i < count; ++i) {
          prefetch_pixels(g, p, next_q, next, i, count);
          block((first + i) * p.outputs, q, {c, end, partial + i * kBlockFloats});
        }
      }
    }
}

}  // namespace UNCIAL_SIMD
