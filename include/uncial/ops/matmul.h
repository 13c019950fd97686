#pragma once
/// @file matmul.h
/// Matrix products.

#include "uncial/core/precision.h"
#include "uncial/core/tensor.h"

namespace uncial {

/// a (..., M, K) times b (..., K, N) -> (..., M, N); leading axes broadcast. A vector operand is a row (a) or
/// a column (b) whose extra axis is dropped again, as in NumPy. Float only;
/// products of bfloat16 tensors are summed in float32 and rounded once. `precision` goes for its gradients
/// too; bf16 takes float32 tensors.
Tensor matmul(const Tensor& a, const Tensor& b, Precision precision = Precision::float32);

/// y = x W^T + bias: x (..., in), weight (out, in), bias (out) or undefined -> (..., out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Precision precision = Precision::float32);

}  // namespace uncial
