#pragma once
/// @file tile_multiplier.h
/// What a block adds of a TileProduct: slab by slab, the next one on its way while one is multiplied.

#include "tile_slab.h"

namespace uncial::cuda::tiles {

/// From the slabs of a split to sums in shared memory, m0 and n0 being where the block's tile begins.
template <class Format, class Shape, bool kAByK, bool kBByK>
struct Multiplier {
  using A = Slab<Format, Shape, Shape::kM, kAByK>;
  using B = Slab<Format, Shape, Shape::kN, kBByK>;
  struct Share {  ///< of a thread
    typename A::Cursor a_at;
    typename B::Cursor b_at;
    typename A::Share a;
    typename B::Share b;
  };
  struct Sums {
    FragmentC c[Shape::kRows][2 * Shape::kPairs], a[Shape::kRows];
  };

  const Block& block;
  const Job& job;
  int m0, n0, split;
  bool sums_a;

  UNCIAL_BODY uint16_t* buffer(int which) const {
    return block.memory<uint16_t>() + which % 2 * kBufferElements<Shape>;
  }
  UNCIAL_BODY void load(Share& share) const {
    if (!Shape::kAny || job.a.wide) A::load(share.a, share.a_at);
    if (!Shape::kAny || job.b.wide) B::load(share.b, share.b_at);
  }
  UNCIAL_BODY void store(Share& share, uint16_t* to, int t) const {
    uint16_t* b_to = to + slab_elements<Shape>(Shape::kM);
    if (!Shape::kAny || job.a.wide)
      A::store(share.a, to, t);
    else
      A::copy(share.a_at, job.a.inside_step(), to, t);
    if (!Shape::kAny || job.b.wide)
      B::store(share.b, b_to, t);
    else
      B::copy(share.b_at, job.b.inside_step(), b_to, t);
    A::advance(share.a_at);
    B::advance(share.b_at);
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

  UNCIAL_BODY void run() const {
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
      load(mine);
      store(mine, buffer(0), t);
    });
    for (int slab = begin; slab < end; ++slab) {
      // Loads of the next slab are under way while this one is multiplied.
      const bool more = slab + 1 < end;
      each_thread_without_waiting(block, [&](int t) {
        if (more) load(share.of(t));
      });
      each_warp_without_waiting(block, [&](const Warp& warp) {
        multiply(warp, sums.of(warp), buffer(slab - begin), sums_a && column_of(warp) == 0);
      });
      block.each_thread([&](int t) {
        if (more) store(share.of(t), buffer(slab - begin + 1), t);
      });
    }
    each_warp(block, [&](const Warp& warp) { share_sums(warp, sums.of(warp)); });
  }
  UNCIAL_BODY void share_sums(const Warp& warp, const Sums& s) const {
    float* shared = block.memory<float>();
    const int row = row_of(warp), column = column_of(warp);
    UNCIAL_UNROLL
    for (int i = 0; i < Shape::kRows; ++i) {
      UNCIAL_UNROLL
      for (int j = 0; j < 2 * Shape::kPairs; ++j)
        warp.each_pair(s.c[i][j], [&](int m, int n, float first, float second) {
          float* to = shared + (row + 16 * i + m) * kSumsPitch<Shape> + column + 8 * j + n;
          *reinterpret_cast<TwoFloats*>(to) = TwoFloats{{first, second}};
        });
      if (sums_a && column == 0)
        warp.each_pair(s.a[i], [&](int m, int n, float first, float) {
          if (n == 0) shared[Shape::kM * kSumsPitch<Shape> + row + 16 * i + m] = first;
        });
    }
  }
};

}  // namespace uncial::cuda::tiles
