#pragma once
/// @file view_ops.h
/// Windows on raw memory, for operators that write parts of their output. Internal.

#include <memory>

#include "uncial/autograd/op.h"

namespace uncial {

/// The window of `x` that a view operator looks at.
View window_of(View x, const ViewOp& op);
/// The record of slice(): `extent` elements from `start` in steps of `step`.
std::shared_ptr<const ViewOp> slice_op(int axis, int64_t start, int64_t extent, int64_t step = 1);
/// Zeros of shape `full` with x in the window of `part`: the gradient of a view that leaves elements out.
Tensor place(const Tensor& x, std::shared_ptr<const ViewOp> part, const Shape& full);

}  // namespace uncial
