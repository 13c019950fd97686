#pragma once
/// @file matmul.h
/// Matrix products.

#include "uncial/core/tensor.h"

namespace uncial {

/// a (..., M, K) times b (..., K, N) -> (..., M, N); leading axes broadcast. A vector operand is a row (a) or
/// a column (b) whose extra axis is dropped again, as in NumPy. Float only;
/// bfloat16 products are summed in float32 and rounded once.
Tensor matmul(const Tensor& a, const Tensor& b);

/// y = x W^T + bias: x (..., in), weight (out, in), bias (out) or undefined -> (..., out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace uncial
