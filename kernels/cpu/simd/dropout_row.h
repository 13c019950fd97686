#pragma once
/// @file dropout_row.h
/// Dropout of one row, and random words for whoever needs many: some Philox blocks at a time.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// What RandomStream says of itself: block i has the key (key0, key1) and the counter (lower half of first +
/// i, upper half of it, a, b).
struct PhiloxStream {
  uint32_t key0, key1;
  uint64_t first;
  uint32_t a, b;
};

/// y[j] = 0 where word j of the stream is below `threshold`, else x[j] * scale.
template <class T>
using DropoutRow = void (*)(const T* x, T* y, int64_t n, T scale, uint32_t threshold, PhiloxStream stream);

struct DropoutSimd {
  DropoutRow<float> f32;
  DropoutRow<double> f64;
  /// Words 4 * block ... 4 * (block + count) - 1 of the stream.
  void (*words)(uint64_t block, int64_t count, PhiloxStream stream, uint32_t* words);
};

UNCIAL_SIMD_FAMILY(DropoutSimd, dropout_simd)

template <class T>
DropoutRow<T> dropout_row() {
  if constexpr (sizeof(T) == 4)
    return dropout_simd().f32;
  else
    return dropout_simd().f64;
}

}  // namespace uncial::cpu
