#pragma once
/// @file reduce.h
/// Reductions of the middle axis of a contiguous x (outer, n, inner) to y (outer, inner).
/// The order of the additions depends on the extents alone, never on the number of threads.

#include "uncial/kernels/kernel.h"

namespace uncial::kernels {

/// The extents of a reduction.
struct ReduceShape {
  int64_t outer, n, inner;
};

/// The type in which elements of type T are summed: float64 for floats, int64 for integers and bool.
template <class T>
struct SumOf {
  using Accumulator = int64_t;
  using Result = int64_t;
};
template <>
struct SumOf<float> {
  using Accumulator = double;
  using Result = float;
};
template <>
struct SumOf<double> {
  using Accumulator = double;
  using Result = double;
};

enum class Extreme : uint8_t { max, min };

}  // namespace uncial::kernels

/// y = sum of x over the middle axis. Sums of float are held in double and rounded once.
UNCIAL_KERNEL(reduce_sum, (const T* x, typename kernels::SumOf<T>::Result* y, kernels::ReduceShape shape))
/// y and index: the first largest (smallest) element; a NaN counts as most extreme. y may be null. n > 0.
UNCIAL_KERNEL(reduce_extreme,
              (kernels::Extreme which, const T* x, T* y, int64_t* index, kernels::ReduceShape shape))
