#pragma once
/// @file elementwise.h
/// Operators that act on each element alone. Two-operand ones broadcast by NumPy's rule and take operands of
/// one dtype (a Python-like double is converted to the tensor's dtype). All float ones are differentiable.
///
/// float32, float64   everything
/// bfloat16           everything; computed in float32 and rounded once, to nearest, ties to even
/// int64, int32       arithmetic, comparisons, where; what is too large wraps around
/// uint8              likewise: modulo 256, as in NumPy and PyTorch (200 + 100 = 44, 1 - 2 = 255)
/// bool               comparisons, where, logical_and/or/xor/not; arithmetic is a usage Error

#include <optional>

#include "uncial/core/tensor.h"

namespace uncial {

Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
/// Integers divide towards zero; an integer division by zero throws a usage Error.
Tensor divide(const Tensor& a, const Tensor& b);
/// a to the power b; the gradient with respect to b is 0 where a <= 0.
Tensor pow(const Tensor& a, const Tensor& b);
/// The smaller / larger of both; where equal, each operand gets half of the gradient. NaN wins.
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return subtract(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return multiply(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return divide(a, b); }
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);
Tensor operator-(const Tensor& x);
Tensor pow(const Tensor& x, double exponent);

/// Comparisons give bool tensors and carry no gradient.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
inline Tensor operator==(const Tensor& a, const Tensor& b) { return equal(a, b); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return not_equal(a, b); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return less(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return less_equal(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return greater(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return greater_equal(a, b); }

/// Of bool tensors, to bool; everything else is a usage Error that says how to make one.
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& x);

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
/// Gradient 0 at 0.
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);
Tensor square(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
/// Limits x to [low, high]; gradient 1 inside and on the bounds, 0 outside. Throws when low > high.
Tensor clip(const Tensor& x, double low, double high);
/// condition (bool) ? a : b, all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

/// max(x, 0); gradient 0 at 0.
Tensor relu(const Tensor& x);
/// x > 0 ? x : slope * x
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// x > 0 ? x : alpha * (e^x - 1)
Tensor elu(const Tensor& x, double alpha = 1);
/// x * Phi(x) with the exact normal distribution function (Hendrycks & Gimpel, 2016).
Tensor gelu(const Tensor& x);
/// x * sigmoid(x)
Tensor silu(const Tensor& x);
/// 1 / (1 + e^-x), without overflow.
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// ln(1 + e^x), without overflow.
Tensor softplus(const Tensor& x);

}  // namespace uncial
