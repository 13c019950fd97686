#pragma once
/// @file precision.h
/// How products take a precision: whoever multiplies rounds the factors first, by an operator of its own, and
/// writes the precision into the product's record. An attribute "precision" of "bf16" or "fp16" thus says
/// that both factors hold values of 16 bits, which a kernel may pack without losing a bit. Internal.

#include <string_view>

#include "uncial/autograd/op.h"
#include "uncial/core/precision.h"

namespace uncial {

/// x as a factor at `precision`. Gradients pass through unchanged. `what` is who asks, for the message when x
/// is neither float32 nor bfloat16.
Tensor as_factor(const Tensor& x, Precision precision, std::string_view what);

/// Whether a kernel may see no more than 11 bits of each factor: because it has no more, or is allowed to.
inline bool few_bits(Precision precision) { return precision != Precision::float32; }

/// The attribute.
inline Attribute attribute_of(Precision precision) { return {"precision", std::string(name_of(precision))}; }

}  // namespace uncial
