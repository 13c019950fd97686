#pragma once
/// @file conv_weight_gradient.h
/// Gradients of weights of conv_chain.h within a block.

#include "conv_product.h"

namespace uncial::cuda {

/// The pieces' sums together, in their order.
UNCIAL_BODY inline void add_pieces(const Block& block, const BackwardLayer& l, bool first_sample) {
  const int size = l.padded_filters() * l.width_of_partial();
  const float* pieces = block.memory<float>(4 * int64_t(l.splits_at));
  float* partial = l.partial + block.index * size;
  block.each_thread([&](int t) {
    for (int i = t; i < size; i += block.threads) {
      float sum = first_sample ? 0.0f : partial[i];
      for (int split = 0; split < l.splits; ++split) sum += pieces[split * size + i];
      partial[i] = sum;
    }
  });
}

/// dw += dy^T x and dbias += the sum of dy, over the pixels of one sample, or of a piece of them each.
template <class Format, int kRows, int kPairs, bool kGathered>
UNCIAL_INLINED_BODY void add_weight_gradient(const Block& block, const BackwardLayer& l, bool first_sample) {
  const auto* shared = block.memory<uint16_t>();
  const int *x_rows = block.memory<int>(4 * int64_t(l.x_rows_at)),
            *dy_rows = block.memory<int>(4 * int64_t(l.dy_rows_at)),
            *units = block.memory<int>(4 * int64_t(l.x_units_at));
  const int products = l.filter_groups * l.pair_groups, width = l.width_of_partial(),
            size = l.padded_filters() * width;
  const bool in_pieces = l.splits > 1, from_zero = first_sample || in_pieces;
  float* target = in_pieces ? block.memory<float>(4 * int64_t(l.splits_at)) : l.partial + block.index * size;
  each_warp(block, [&](const Warp& warp) {
    for (int item = warp.index; item < products * l.splits; item += block.threads / kWarp) {
      const int split = l.by_products.quotient(item), product = l.by_products.remainder(item, split);
      const int filter_group = l.by_pair_groups.quotient(product), filter = filter_group * kRows * 16;
      const int pair = l.by_pair_groups.remainder(product, filter_group) * kPairs;
      const int begin = l.by_splits.quotient(l.steps() * split),
                end = l.by_splits.quotient(l.steps() * (split + 1));
      float* partial = target + split * size + filter * width;
      const auto start = [&](FragmentC& sum, int row, int column) {
        warp.set_pairs(sum, [&](int m, int n) {
          return from_zero ? Pair{0, 0}
                           : *reinterpret_cast<const Pair*>(partial + (row + m) * width + column + n);
        });
      };
      FragmentC sums[kRows][2 * kPairs], bias[kRows];
      FragmentB ones;
      warp.template fill<Format>(ones, 1);
      UNCIAL_UNROLL
      for (int i = 0; i < kRows; ++i) {
        UNCIAL_UNROLL
        for (int j = 0; j < 2 * kPairs; ++j)
          start(sums[i][j], 16 * i, (2 * pair + j < l.taps.units ? 2 * pair + j : 0) * 8);
        start(bias[i], 16 * i, l.taps.units * 8);
      }
      UNCIAL_UNROLL_2
      for (int step = begin; step < end; ++step) {
        FragmentA a[kRows];
        UNCIAL_UNROLL
        for (int i = 0; i < kRows; ++i)
          warp.load_columns(
              a[i], [&](int k, int h) { return shared + dy_rows[16 * step + k] + filter + 16 * i + 8 * h; });
        UNCIAL_UNROLL
        for (int j = 0; j < kPairs; ++j) {
          FragmentB b[2];
          if constexpr (kGathered) {
            UNCIAL_UNROLL
            for (int which = 0; which < 2; ++which)
              gather(warp, b[which], [&](int k, int n) {
                const int unit = 2 * (pair + j) + which;
                return shared[x_rows[16 * step + k] + units[unit < l.taps.units ? 8 * unit + n : 0]];
              });
          } else {
            warp.load_rows(b[0], b[1], [&](int k, int which) {
              const int unit = 2 * (pair + j) + which;
              return shared + x_rows[16 * step + k] + units[unit < l.taps.units ? unit : 0];
            });
          }
          UNCIAL_UNROLL
          for (int i = 0; i < kRows; ++i) {
            warp.template multiply<Format>(sums[i][2 * j], a[i], b[0]);
            warp.template multiply<Format>(sums[i][2 * j + 1], a[i], b[1]);
          }
        }
        if (pair == 0) {
          UNCIAL_UNROLL
          for (int i = 0; i < kRows; ++i) warp.template multiply<Format>(bias[i], a[i], ones);
        }
      }
      const auto keep = [&](const FragmentC& sum, int row, int column) {
        warp.each_pair(sum, [&](int m, int n, float first, float second) {
          *reinterpret_cast<Pair*>(partial + (row + m) * width + column + n) = {first, second};
        });
      };
      UNCIAL_UNROLL
      for (int i = 0; i < kRows; ++i) {
        UNCIAL_UNROLL
        for (int j = 0; j < 2 * kPairs; ++j)
          if (2 * pair + j < l.taps.units) keep(sums[i][j], 16 * i, (2 * pair + j) * 8);
        if (pair == 0) keep(bias[i], 16 * i, l.taps.units * 8);
      }
    }
  });
  if (in_pieces) add_pieces(block, l, first_sample);
}

template <class Format, int kRows, bool kGathered>
UNCIAL_INLINED_BODY void weight_gradient_of_rows(const Block& block, const BackwardLayer& l,
                                                 bool first_sample) {
  if (l.pairs_a_warp == 1)
    add_weight_gradient<Format, kRows, 1, kGathered>(block, l, first_sample);
  else
    add_weight_gradient<Format, kRows, 2, kGathered>(block, l, first_sample);
}
template <class Format, bool kGathered>
UNCIAL_INLINED_BODY void weight_gradient(const Block& block, const BackwardLayer& l, bool first_sample) {
  if (l.rows_a_warp == 1)
    weight_gradient_of_rows<Format, 1, kGathered>(block, l, first_sample);
  else
    weight_gradient_of_rows<Format, 2, kGathered>(block, l, first_sample);
}

}  // namespace uncial::cuda
