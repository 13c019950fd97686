#include "chain_cut.h"

#include <algorithm>

namespace uncial::program::cuda {

using uncial::cuda::Divider;

namespace {

/// Cycles of a multiprocessor for `items`, each of so many steps, that warps take in turns: in a step an item
/// loads from shared memory for some cycles, and multiplies. Alone it waits for both. On an H100 a product of
/// 16x8x16 takes about 1.6 cycles of a multiprocessor, or 6.4 of the quarter that a warp runs on.
double cycles(int items, int steps, int warps, double loads, double products) {
  const double alone = 60 + 6.4 * products, share = std::max(loads, 1.6 * products);
  double sum = 0;
  for (; items > 0; items -= warps) sum += steps * std::max(alone, std::min(items, warps) * share);
  return sum;
}

/// What items of so many tiles take before and behind their steps: some 100 instructions and 45 a tile, two
/// of which a cycle; and what that code costs that a block runs once a sample: it comes from memory for the
/// first, 8 instructions in 110 cycles (2026-11-26, an H100).
double cycles_around(const Launch& launch, int items, int tiles) {
  return items * (50 + 22.5 * tiles) + 700.0 * tiles / double(launch.samples);
}

/// What pieces of a weight gradient may take of shared memory.
constexpr int64_t kMostPieces = 36 * 1024;

}  // namespace

double cut_filters(uncial::cuda::ConvProduct& p, int64_t filters, const Launch& launch, int most_tiles) {
  const int tiles = int(ceil_div(filters, 8));
  double best = 0;
  for (int t = 1; t <= most_tiles; t *= 2) {
    const int items = p.padded_rows() / 32 * int(ceil_div(tiles, t));
    const double cost =
        cycles(items, p.steps(), launch.warps(), 8 + 2 * t, 2 * t) + cycles_around(launch, items, t);
    if (best > 0 && cost >= best) continue;
    best = cost, p.tiles_a_warp = t, p.filter_tiles = round_up(tiles, t);
  }
  p.by_groups = Divider(p.filter_tiles / p.tiles_a_warp);
  return best;
}

double cut_gradient(uncial::cuda::BackwardLayer& l, const Launch& launch) {
  const int filters = int(ceil_div(l.filters, 16)), pairs = l.taps.units / 2;
  double best = 0;
  for (const int rows : {1, 2})
    for (const int columns : {1, 2}) {
      const int groups = int(ceil_div(filters, rows)), products = groups * int(ceil_div(pairs, columns));
      const int64_t piece = int64_t(groups) * rows * 16 * l.width_of_partial() * 4;
      const int splits =
          std::clamp(int(std::min<int64_t>(launch.warps() / products, kMostPieces / piece)), 1, l.steps());
      const double cost = cycles(products * splits, int(ceil_div(l.steps(), splits)), launch.warps(),
                                 4 * (rows + columns), 2 * rows * columns);
      if (best > 0 && cost >= best) continue;
      best = cost;
      l.rows_a_warp = rows, l.pairs_a_warp = columns, l.splits = splits;
      l.filter_groups = groups, l.pair_groups = int(ceil_div(pairs, columns));
    }
  l.by_products = Divider(l.filter_groups * l.pair_groups);
  l.by_pair_groups = Divider(l.pair_groups), l.by_splits = Divider(l.splits);
  return best;
}

}  // namespace uncial::program::cuda
