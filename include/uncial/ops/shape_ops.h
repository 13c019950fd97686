#pragma once
/// @file shape_ops.h
/// Rearranging elements. Views (reshape of a row-major tensor, permute, transpose, slice, select, expand,
/// squeeze, unsqueeze) share memory; the rest copies. All are differentiable for float tensors.

#include "uncial/core/tensor.h"

namespace uncial {

/// One extent may be -1: it is computed. A strided x is copied first.
Tensor reshape(const Tensor& x, const Shape& shape);
/// Axis i of the result is axis axes[i] of x.
Tensor permute(const Tensor& x, const Extents& axes);
Tensor transpose(const Tensor& x, int64_t a = -2, int64_t b = -1);
/// Joins the axes from `first_axis` on into one.
Tensor flatten(const Tensor& x, int64_t first_axis = 0);
Tensor squeeze(const Tensor& x, int64_t axis);
Tensor unsqueeze(const Tensor& x, int64_t axis);
/// Repeats axes of extent 1 (and new leading ones) without copying.
Tensor expand(const Tensor& x, const Shape& shape);
/// Elements start, start+step, ... below stop along an axis. step may be negative. Bounds are clamped as in
/// Python.
Tensor slice(const Tensor& x, int64_t axis, Slice range);
/// One index along an axis, which is dropped.
Tensor select(const Tensor& x, int64_t axis, int64_t index);
/// Joins tensors along an axis; all other extents must be equal.
Tensor concat(const Tensors& parts, int64_t axis = 0);
/// Elements added before and after each axis: pads[i] = {before, after}.
Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads, double value = 0);
/// Slices of x along `axis` at `indices` (int64, rank 1, values in [-extent, extent)); gradients of repeated
/// ones add.
Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis = 0);
/// indices (...) int64 in [0, classes) -> (..., classes), 1 at the index. Throws when one is outside.
Tensor one_hot(const Tensor& indices, int64_t classes, DType dtype = DType::float32);

}  // namespace uncial
