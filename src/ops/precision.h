#pragma once
/// @file precision.h
/// How products take a precision: whoever multiplies rounds the factors first, by an operator of its own, and
/// writes the precision into the product's record. An attribute "precision" of "bf16" thus says that both
/// factors hold bfloat16 values, which a kernel may pack without losing a bit. Internal.

#include <string_view>

#include "uncial/autograd/op.h"
#include "uncial/core/precision.h"

namespace uncial {

/// x as a factor at `precision`. Gradients pass through unchanged. `what` is who asks, for the message when x
/// is neither float32 nor bfloat16.
Tensor as_factor(const Tensor& x, Precision precision, std::string_view what);

/// The attribute.
inline Attribute attribute_of(Precision precision) { return {"precision", std::string(name_of(precision))}; }

}  // namespace uncial
