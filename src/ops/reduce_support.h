#pragma once
/// @file reduce_support.h
/// Internal.

#include "uncial/kernels/reduce.h"

namespace uncial {

/// A shape as (axes before first, axes in [first, last), axes from last on). Of an empty tensor some of them
/// may multiply to more than fits; such a product counts as 0, too, for there is nothing to reduce.
inline kernels::ReduceShape around(const Shape& shape, int first, int last) {
  kernels::ReduceShape r{1, 1, 1};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    int64_t& extent = axis < first ? r.outer : axis < last ? r.n : r.inner;
    if (__builtin_mul_overflow(extent, shape[axis], &extent)) extent = 0;
  }
  return r;
}

}  // namespace uncial
