#pragma once
/// @file tile_multiplier.h
/// What a block adds of a TileProduct: slab by slab, the next two on their way while one is multiplied.

#include "tile_slab.h"

namespace uncial::cuda::tiles {

/// From the slabs of a split to sums in memory, m0 and n0 being where the block's tile begins.
template <class Format, class Shape, bool kAByK, bool kBByK>
struct Multiplier {
  using A = Slab<Format, Shape, Shape::kM, kAByK>;
  using B = Slab<Format, Shape, Shape::kN, kBByK>;
  struct Share {  ///< of a thread
    typename A::Cursor a_at;
    typename B::Cursor b_at;
    typename A::Share a[2];
    typename B::Share b[2];
  };
  struct Sums {
    FragmentC c[Shape::kRows][2 * Shape::kPairs], a[Shape::kRows];
  };

  const Block& block;
  const Job& job;
  int m0, n0, split;
  bool sums_a;

  UNCIAL_BODY uint16_t* buffer(int which) const {
    return block.memory<uint16_t>() + which * kBufferElements<Shape>;
  }
  /// `stage` is a place for a slab in registers. What is not wide goes to shared memory without one.
  UNCIAL_BODY void load(Share& share, int stage) const {
    if (!Shape::kAny || job.a.wide) A::load(share.a[stage], share.a_at, job.a);
    if (!Shape::kAny || job.b.wide) B::load(share.b[stage], share.b_at, job.b);
  }
  UNCIAL_BODY void store(Share& share, int stage, uint16_t* to, int t) const {
    uint16_t* b_to = to + slab_elements<Shape>(Shape::kM);
    if (!Shape::kAny || job.a.wide)
      A::store(share.a[stage], to, t);
    else
      A::copy(share.a_at, job.a, to, t);
    if (!Shape::kAny || job.b.wide)
      B::store(share.b[stage], b_to, t);
    else
      B::copy(share.b_at, job.b, b_to, t);
  }
  UNCIAL_BODY static int row_of(const Warp& w) { return w.index / Shape::kWarpColumns * 16 * Shape::kRows; }
  UNCIAL_BODY static int column_of(const Warp& w) {
    return w.index % Shape::kWarpColumns * 16 * Shape::kPairs;
  }

  UNCIAL_BODY void multiply(const Warp& warp, Sums& sums, const uint16_t* a, bool with_a) const {
    const uint16_t* b = a + slab_elements<Shape>(Shape::kM);
    const int row = row_of(warp), column = column_of(warp);
    UNCIAL_UNROLL
    for (int k = 0; k < Shape::kK; k += 16) {
      FragmentA left[Shape::kRows];
      UNCIAL_UNROLL
      for (int i = 0; i < Shape::kRows; ++i) {
        const int m = row + 16 * i;
        if constexpr (kAByK)
          warp.load_rows(left[i], [&](int r, int h) { return A::at(a, m + r, k + 8 * h); });
        else
          warp.load_columns(left[i], [&](int c, int h) { return A::at(a, m + 8 * h, k + c); });
      }
      UNCIAL_UNROLL
      for (int j = 0; j < Shape::kPairs; ++j) {
        const int n = column + 16 * j;
        FragmentB right[2];
        if constexpr (kBByK)
          warp.load_columns(right[0], right[1],
                            [&](int c, int h, int which) { return B::at(b, n + 8 * which + c, k + 8 * h); });
        else
          warp.load_rows(right[0], right[1],
                         [&](int r, int which) { return B::at(b, n + 8 * which, k + r); });
        UNCIAL_UNROLL
        for (int i = 0; i < Shape::kRows; ++i) {
          warp.template multiply<Format>(sums.c[i][2 * j], left[i], right[0]);
          warp.template multiply<Format>(sums.c[i][2 * j + 1], left[i], right[1]);
        }
      }
      if (!with_a) continue;
      FragmentB ones;
      warp.template fill<Format>(ones, 1);
      UNCIAL_UNROLL
      for (int i = 0; i < Shape::kRows; ++i) warp.template multiply<Format>(sums.a[i], left[i], ones);
    }
  }

  /// Multiplies slab `slab`, the next one being in registers already. The stage is known to the compiler,
  /// which could not keep an array in registers otherwise.
  template <int kStage>
  UNCIAL_BODY void step(PerThread<Share, Shape::kThreads>& share, PerWarp<Sums, Shape::kWarps>& sums,
                        int slab, int end) const {
    each_thread_without_waiting(block, [&](int t) {
      if (slab + 2 < end) load(share.of(t), kStage);
    });
    each_warp_without_waiting(block, [&](const Warp& warp) {
      multiply(warp, sums.of(warp), buffer(kStage), sums_a && column_of(warp) == 0);
    });
    block.each_thread([&](int t) {
      if (slab + 1 < end) store(share.of(t), 1 - kStage, buffer(1 - kStage), t);
    });
  }

  /// Sums go to `to` and `to_sums`.
  UNCIAL_BODY void run(float* to, float* to_sums) const {
    PerThread<Share, Shape::kThreads> share;
    PerWarp<Sums, Shape::kWarps> sums;
    const int all = (job.K + Shape::kK - 1) / Shape::kK, begin = split * job.slabs;
    const int end = begin + job.slabs < all ? begin + job.slabs : all;
    each_warp_without_waiting(block, [&](const Warp& warp) {
      Sums& s = sums.of(warp);
      UNCIAL_UNROLL
      for (int i = 0; i < Shape::kRows; ++i) {
        warp.set_columns(s.a[i], [](int) { return 0.0f; });
        UNCIAL_UNROLL
        for (int j = 0; j < 2 * Shape::kPairs; ++j) s.c[i][j] = s.a[i];
      }
    });
    block.each_thread([&](int t) {
      Share& mine = share.of(t);
      mine = Share{};  // nvcc keeps registers for what may have no value yet
      if (begin >= end) return;
      mine.a_at = A::start(job.a, m0, begin * Shape::kK, job.K, t);
      mine.b_at = B::start(job.b, n0, begin * Shape::kK, job.K, t);
      load(mine, 0);
      if (begin + 1 < end) load(mine, 1);
      store(mine, 0, buffer(0), t);
    });
    for (int slab = begin; slab < end; slab += 2) {
      step<0>(share, sums, slab, end);
      if (slab + 1 < end) step<1>(share, sums, slab + 1, end);
    }
    let_next_kernel_start();
    const bool pairs = job.N() % 2 == 0 && reinterpret_cast<uintptr_t>(to) % sizeof(TwoFloats) == 0;
    each_warp(block, [&](const Warp& warp) { write(warp, sums.of(warp), to, to_sums, pairs); });
  }

  /// Straight from fragments: four neighbouring threads fill 32 bytes of a row, which is what memory takes.
  UNCIAL_BODY void write(const Warp& warp, const Sums& s, float* to, float* to_sums, bool pairs) const {
    const int row = m0 + row_of(warp), column = n0 + column_of(warp), N = job.N();
    UNCIAL_UNROLL
    for (int i = 0; i < Shape::kRows; ++i) {
      UNCIAL_UNROLL
      for (int j = 0; j < 2 * Shape::kPairs; ++j)
        warp.each_pair(s.c[i][j], [&](int dm, int dn, float first, float second) {
          const int m = row + 16 * i + dm, n = column + 8 * j + dn;
          if (m >= job.M() || n >= N) return;
          float* at = to + int64_t(m) * N + n;
          const bool whole = !job.partial;
          if (whole) first = job.template finished<Format>(first, n);
          if (whole && n + 1 < N) second = job.template finished<Format>(second, n + 1);
          if (pairs) {
            *reinterpret_cast<TwoFloats*>(at) = TwoFloats{{first, second}};
            return;
          }
          at[0] = first;
          if (n + 1 < N) at[1] = second;
        });
      if (sums_a && column == n0)
        warp.each_pair(s.a[i], [&](int dm, int dn, float first, float) {
          if (const int m = row + 16 * i + dm; dn == 0 && m < job.M()) to_sums[m] = first;
        });
    }
  }
};

}  // namespace uncial::cuda::tiles
