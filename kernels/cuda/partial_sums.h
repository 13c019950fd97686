#pragma once
/// @file partial_sums.h
/// Sums of what blocks have left in memory, a row each, in a fixed order.

#include "grid.h"

namespace uncial::cuda {

/// A block adds kColumns columns of some rows: kParts threads take every kParts-th row of four columns, and
/// their sums are added in order.
template <int kColumns, int kParts>
struct PartialSums {
  static constexpr int kFours = kColumns / 4, kThreads = kFours * kParts;
  static constexpr int64_t kSharedBytes = kThreads * int64_t(sizeof(Float4));
  static_assert(kThreads >= kColumns);

  /// use(column, sum) for the first `columns` of a block's columns, the first of which begins at `from`. Rows
  /// are `pitch` floats apart; `from` and `pitch` are multiples of 16 bytes.
  template <class Use>
  UNCIAL_BODY static void add(const Block& block, const float* from, int64_t pitch, int rows, int64_t columns,
                              Use use) {
    block.each_thread([&](int t) {
      const int column = t % kFours * 4;
      const int64_t left = columns - column;
      Float4 sum{};
      walk_ahead<4>(
          t / kFours, kParts, rows, [&](int row) { return load(from + row * pitch + column, left); },
          [&](int, const Float4& four) {
            UNCIAL_UNROLL
            for (int j = 0; j < 4; ++j) sum.v[j] += four.v[j];
          });
      block.memory<Float4>()[t] = sum;
    });
    block.each_thread([&](int t) {
      if (t >= kColumns || t >= columns) return;
      const float* parts = block.memory<float>() + t;
      float sum = 0;
      UNCIAL_UNROLL
      for (int part = 0; part < kParts; ++part) sum += parts[part * kColumns];
      use(t, sum);
    });
  }

 private:
  UNCIAL_BODY static Float4 load(const float* from, int64_t left) {
    if (left >= 4) return *reinterpret_cast<const Float4*>(from);
    Float4 four{};
    for (int j = 0; j < left; ++j) four.v[j] = from[j];
    return four;
  }
};

}  // namespace uncial::cuda
