#pragma once
/// @file dropout_row.h
/// Dropout of one row, many Philox blocks at a time.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// y[j] = 0 where word j of the Philox stream is below `threshold`, else x[j] * scale. The stream has key
/// (key0, key1) and counter (block low, block high, a, b), block = j / 4.
template <class T>
using DropoutRow = void (*)(const T* x, T* y, int64_t n, T scale, uint32_t threshold, uint32_t key0,
                            uint32_t key1, uint32_t a, uint32_t b);

struct DropoutSimd {
  DropoutRow<float> f32;
  DropoutRow<double> f64;
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
