#pragma once
/// @file reduce_support.h
/// Internal.

#include "uncial/kernels/reduce.h"

namespace uncial {

/// A shape as (axes before first, axes in [first, last), axes from last on).
inline kernels::ReduceShape around(const Shape& shape, int first, int last) {
  kernels::ReduceShape r{1, 1, 1};
  for (int axis = 0; axis < shape.rank(); ++axis)
    (axis < first ? r.outer : axis < last ? r.n : r.inner) *= shape[axis];
  return r;
}

}  // namespace uncial
