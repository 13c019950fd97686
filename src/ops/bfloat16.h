#pragma once
/// @file bfloat16.h
/// How operators take bfloat16: they compute in float32 and round the result once, to nearest, ties to even.
/// Converting is a recorded, differentiable operator, so gradient rules need not know. Internal.

#include "uncial/autograd/op.h"

namespace uncial {

inline bool is_bfloat16(const Tensor& x) { return x.defined() && x.dtype() == DType::bfloat16; }

/// Float32 copies of bfloat16 tensors, when those are the only floats; mixed inputs stay, for the operator to
/// refuse.
inline bool widen(Tensors& inputs) {
  bool some = false;
  for (const Tensor& x : inputs) {
    if (x.defined() && is_floating(x.dtype()) && !is_bfloat16(x)) return false;
    some = some || is_bfloat16(x);
  }
  if (!some) return false;
  for (Tensor& x : inputs)
    if (is_bfloat16(x)) x = x.to(DType::float32);
  return true;
}

/// f(inputs), whose result has the inputs' float type.
template <class F>
Tensor rounded(Tensors inputs, const F& f) {
  const bool narrow = widen(inputs);
  const Tensor y = f(inputs);
  return narrow ? y.to(DType::bfloat16) : y;
}

/// op<T>() whose result has the inputs' float type.
template <class T, class... Arguments>
Tensor rounded_op(Tensors inputs, Arguments&&... arguments) {
  const bool narrow = widen(inputs);
  const Tensor y = op<T>(std::move(inputs), std::forward<Arguments>(arguments)...);
  return narrow ? y.to(DType::bfloat16) : y;
}

/// op<T>() whose result is of another type: a bool, an index.
template <class T, class... Arguments>
Tensor widened_op(Tensors inputs, Arguments&&... arguments) {
  widen(inputs);
  return op<T>(std::move(inputs), std::forward<Arguments>(arguments)...);
}

}  // namespace uncial
