#pragma once
/// @file lane_dense_block.h
/// The register block of all products of lane_dense.cpp, and how they are cut into such blocks.

#include <cstdint>

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;

// The largest blocks for 1, 2, ... vectors: as many accumulators as leave registers for the vectors and a
// broadcast, and at least 8, because a multiply-add takes 4 cycles and two start in each.
#if defined(UNCIAL_SIMD_avx512)
constexpr int kMaxVectors = 4, kMaxOut[] = {12, 12, 8, 6};
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kMaxVectors = 2, kMaxOut[] = {12, 6};
#else
constexpr int kMaxVectors = 2, kMaxOut[] = {8, 4};
#endif

constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

constexpr float kZeros[12] = {};  // a start for sums without a bias

/// y[i][j] = start[i] + sum over l of scalar(i, l) * vector(j, l). The scalars of one l are out_step
/// apart; after `run` values of l they go on run_step further (one group of samples to the next).
struct Product {
  const float* scalars;
  int64_t out_step, in_step, run, run_step;
  const float* vectors;
  int64_t vector_step, vector_in_step;
  int64_t count;
  const float* start;  ///< one an output: see kZeros
  bool add;            ///< start with y too
  bool relu;
  float* y;
  int64_t y_out_step, y_vector_step;
};

template <int kOut, int kVectors>
void multiply(const Product& product) {
  const Product p = product;  // a copy that no store can change
  V sum[kOut][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kOut; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = p.add ? load(p.y + i * p.y_out_step + j * p.y_vector_step) : V{};
      sum[i][j] += p.start[i];
    }
  const float *scalars = p.scalars, *vectors = p.vectors;
  for (int64_t done = 0; done < p.count; done += p.run, scalars += p.run_step) {
    const float* scalar = scalars;
    for (int64_t l = lesser(p.run, p.count - done); l > 0; --l) {
      V vector[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) vector[j] = load(vectors + j * p.vector_step);
#pragma GCC unroll 16
      for (int i = 0; i < kOut; ++i) {
        const float s = scalar[i * p.out_step];
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) sum[i][j] += s * vector[j];
      }
      scalar += p.in_step;
      vectors += p.vector_in_step;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kOut; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      if (p.relu) sum[i][j] = V{} > sum[i][j] ? V{} : sum[i][j];  // NaN stays
      store(p.y + i * p.y_out_step + j * p.y_vector_step, sum[i][j]);
    }
}

using Multiply = void (*)(const Product&);

/// multiply<out, vectors> for numbers known at run time.
template <int kOut = kMaxOut[kMaxVectors - 1], int kVectors = kMaxVectors>
Multiply block_of(int64_t out, int64_t vectors) {
  if (vectors < kVectors) {
    if constexpr (kVectors > 1) return block_of<kMaxOut[kVectors - 2], kVectors - 1>(out, vectors);
  } else if (out < kOut) {
    if constexpr (kOut > 1) return block_of<kOut - 1, kVectors>(out, vectors);
  }
  return multiply<kOut, kVectors>;
}

/// `total` cut into the fewest parts of at most `most`, whose lengths differ by 1 at most.
struct Cut {
  int64_t parts, shortest, longer;
  Cut(int64_t total, int64_t most)
      : parts((total + most - 1) / most),
        shortest(parts ? total / parts : 0),
        longer(total - parts * shortest) {}
  int64_t length(int64_t i) const { return shortest + (i < longer); }
};

/// Calls body(first, vectors) for blocks of groups.
template <class Body>
[[gnu::always_inline]] inline void for_groups(int64_t groups, const Body& body) {
  const Cut cut(groups, kMaxVectors);
  for (int64_t b = 0, g = 0; b < cut.parts; g += cut.length(b++)) body(g, cut.length(b));
}

/// Calls body(first, rows, multiply of that size) for blocks of outputs.
template <class Body>
[[gnu::always_inline]] inline void for_outputs(int64_t outputs, int64_t vectors, const Body& body) {
  const Cut cut(outputs, kMaxOut[vectors - 1]);
  const Multiply shorter = block_of(cut.shortest, vectors), longer = block_of(cut.length(0), vectors);
  for (int64_t b = 0, i = 0; b < cut.parts; i += cut.length(b++))
    body(i, cut.length(b), b < cut.longer ? longer : shorter);
}

/// Fetches `rows` rows of `length` floats, `step` apart, into the second-level cache.
template <bool for_writing = false>
[[gnu::always_inline]] inline void fetch(const float* row, int64_t rows, int64_t step, int64_t length) {
  constexpr int64_t kLine = 16;
  for (int64_t r = 0; r < rows; ++r, row += step)
    for (int64_t i = 0; i < length; i += kLine) __builtin_prefetch(row + i, for_writing, 2);
}

}  // namespace
}  // namespace UNCIAL_SIMD
