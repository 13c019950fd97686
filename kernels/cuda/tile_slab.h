#pragma once
/// @file tile_slab.h
/// Pieces of the factors of a TileProduct on their way into shared memory.

#include "factor_format.h"
#include "registers.h"
#include "tile_product.h"

namespace uncial::cuda::tiles {

/// A block computes kM x kN elements, slab by slab of kK; a warp 16 kRows x 16 kPairs of them. Registers of a
/// multiprocessor have room for kResident blocks. With kAny factors need not be wide.
template <int kM_, int kN_, int kK_, int kRows_, int kPairs_, int kResident_, bool kAny_ = false>
struct TileShape {
  static constexpr bool kAny = kAny_;
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kRows = kRows_, kPairs = kPairs_, kResident = kResident_;
  static constexpr int kWarpColumns = kN / (16 * kPairs), kWarps = kM / (16 * kRows) * kWarpColumns,
                       kThreads = kWarps * kWarp;
};
using Any = TileShape<32, 32, 64, 1, 1, 3, true>;
using Small = TileShape<32, 32, 64, 1, 1, 4>;
using Square = TileShape<64, 64, 32, 2, 2, 3>;
using Wide = TileShape<64, 128, 32, 2, 2, 2>;
using Large = TileShape<128, 128, 32, 4, 2, 1>;

struct alignas(16) Four {
  float values[4];
};
struct alignas(8) PairOfWords {
  uint32_t words[2];
};
struct alignas(8) TwoFloats {
  float values[2];
};

struct Factor {
  TileFactor memory;
  int extent;
  bool by_k;  ///< lies in shared memory with k contiguous
  bool wide;  ///< whole fours, each 16 bytes at once
  UNCIAL_BODY int64_t inside_step() const { return by_k ? memory.k_step : memory.step; }
};

struct Job {
  Factor a, b;
  int K, row_tiles, column_tiles, slabs, splits;  ///< slabs: of a split
  float *c, *a_sums, *partial;                    ///< partial: of all splits, or null
  const float* bias;
  bool relu, round;
  int64_t end;  ///< blocks up to here

  UNCIAL_BODY int M() const { return a.extent; }
  UNCIAL_BODY int N() const { return b.extent; }
  UNCIAL_BODY int64_t outputs() const { return int64_t(M()) * N() + (a_sums ? M() : 0); }
  /// From one split's sums to the next's, so that all begin at a multiple of 16 bytes.
  UNCIAL_BODY int64_t partial_pitch() const { return (outputs() + 3) / 4 * 4; }
  template <class Format>
  UNCIAL_BODY float finished(float sum, int n) const {
    if (bias) sum += bias[n];
    if (relu && sum < 0) sum = 0;
    return round ? Format::rounded(sum) : sum;
  }
};

struct Jobs {
  Job job[kMaxTileProducts];
  /// The job that `index` belongs to by `end`; index becomes its own.
  UNCIAL_BODY const Job& of(int64_t& index) const {
    int j = 0;
    while (index >= job[j].end) ++j;
    if (j > 0) index -= job[j - 1].end;
    return job[j];
  }
};

/// A factor's slab: kOuter x kK elements on their way from memory to shared memory, four at a time: through
/// registers, or straight where fours may not be read at once. Rows in shared memory are an odd number of 16
/// bytes apart, so that ldmatrix meets no bank twice.
template <class Format, class Shape, int kOuter, bool kByK>
struct Slab {
  static constexpr int kInside = kByK ? Shape::kK : kOuter, kPitch = kInside + 8, kFours = kInside / 4,
                       kAtOnce = Shape::kThreads / kFours, kShare = kOuter * Shape::kK / 4 / Shape::kThreads;
  static_assert(kAtOnce * kFours == Shape::kThreads);
  struct Share {
    Four fours[kShare];
  };

  /// Where a thread reads its share of the next slab.
  struct Cursor {
    const float* from;
    int left_across, left_along;  ///< elements up to the end of the factor
  };

  UNCIAL_BODY static Cursor start(const Factor& f, int first, int k0, int K, int t) {
    const int along = t % kFours * 4, across = t / kFours;
    const int i = first + (kByK ? across : along), k = k0 + (kByK ? along : across);
    return {f.memory.data + i * f.memory.step + k * f.memory.k_step, kByK ? f.extent - i : K - k,
            kByK ? K - k : f.extent - i};
  }
  /// Elements from one of a thread's fours to its next.
  UNCIAL_BODY static int64_t across(const Factor& f) {
    return kAtOnce * (kByK ? f.memory.step : f.memory.k_step);
  }
  UNCIAL_BODY static void advance(Cursor& at, int64_t k_step) {
    at.from += Shape::kK * k_step;
    (kByK ? at.left_along : at.left_across) -= Shape::kK;
  }
  UNCIAL_BODY static void load(Share& share, Cursor& at, const Factor& f) {
    const int64_t next = across(f);
    UNCIAL_UNROLL
    for (int j = 0; j < kShare; ++j) {
      share.fours[j] = Four{};
      if (at.left_along > 0 && j * kAtOnce < at.left_across)
        share.fours[j] = *reinterpret_cast<const Four*>(at.from + j * next);
    }
    advance(at, kByK ? 1 : f.memory.k_step);
  }
  UNCIAL_BODY static void store(const Share& share, uint16_t* shared, int t) {
    shared += t / kFours * kPitch + t % kFours * 4;
    UNCIAL_UNROLL
    for (int j = 0; j < kShare; ++j) put(share.fours[j], shared + j * kAtOnce * kPitch);
  }
  /// load() and store() of a factor that is not wide.
  UNCIAL_BODY static void copy(Cursor& at, const Factor& f, uint16_t* shared, int t) {
    const int64_t step = f.inside_step(), next = across(f);
    shared += t / kFours * kPitch + t % kFours * 4;
    UNCIAL_UNROLL
    for (int j = 0; j < kShare; ++j) {
      Four four;
      UNCIAL_UNROLL
      for (int e = 0; e < 4; ++e) {
        four.values[e] = 0;
        if (e < at.left_along && j * kAtOnce < at.left_across) four.values[e] = at.from[j * next + e * step];
      }
      put(four, shared + j * kAtOnce * kPitch);
    }
    advance(at, f.memory.k_step);
  }
  UNCIAL_BODY static void put(const Four& four, uint16_t* to) {
    const float* v = four.values;
    *reinterpret_cast<PairOfWords*>(to) =
        PairOfWords{{Format::rounded_pair(v[0], v[1]), Format::rounded_pair(v[2], v[3])}};
  }
  UNCIAL_BODY static const uint16_t* at(const uint16_t* shared, int i, int k) {
    return shared + (kByK ? i * kPitch + k : k * kPitch + i);
  }
};

UNCIAL_BODY constexpr int larger(int a, int b) { return a > b ? a : b; }
/// Elements of a factor's slab, whichever way it lies.
template <class Shape>
UNCIAL_BODY constexpr int slab_elements(int outer) {
  return larger(outer * (Shape::kK + 8), Shape::kK * (outer + 8));
}
template <class Shape>
inline constexpr int kBufferElements = slab_elements<Shape>(Shape::kM) + slab_elements<Shape>(Shape::kN);

/// Two slabs: one is read while the next is written.
template <class Shape>
inline constexpr int64_t kSharedBytes = 2 * 2 * kBufferElements<Shape>;

}  // namespace uncial::cuda::tiles
