#pragma once
/// @file reduce.h
/// Sums and their relatives, over all elements or one axis. Sums follow a fixed tree: the same bits for any
/// number of threads. float32 partial sums are held in float64 where that is free;
/// bfloat16 is reduced like float32 and rounded at the end.

#include "uncial/core/tensor.h"

namespace uncial {

/// Sum of all elements, a scalar; 0 when there are none. Integers and bool sum to int64.
Tensor sum(const Tensor& x);
/// Sum over one axis (a negative one counts from the end).
Tensor sum(const Tensor& x, int64_t axis, KeepDims keep = {});
/// Sum over the axes that broadcasting added or stretched: the gradient rule of every broadcasting operator.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// Float only. Throws a usage Error when there is nothing to average.
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, int64_t axis, KeepDims keep = {});
/// Largest / smallest element; the gradient goes to the first of equal ones. NaN wins. Throws when empty.
Tensor max(const Tensor& x);
Tensor max(const Tensor& x, int64_t axis, KeepDims keep = {});
Tensor min(const Tensor& x);
Tensor min(const Tensor& x, int64_t axis, KeepDims keep = {});
/// Index (int64) of the first largest element along an axis; the first NaN counts as largest.
Tensor argmax(const Tensor& x, int64_t axis = -1, KeepDims keep = {});
/// Options of var().
struct VarOptions {
  bool unbiased = false;  ///< divide by n - 1 instead of n
  KeepDims keep = {};
};
Tensor var(const Tensor& x, int64_t axis, VarOptions options = {});

}  // namespace uncial
