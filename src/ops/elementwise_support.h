#pragma once
/// @file elementwise_support.h
/// What the elementwise operators and the views share. Internal.

#include <string_view>

#include "uncial/core/view.h"

namespace uncial {

/// Throws a usage Error naming `what` unless `spec` is float32 or float64.
void require_float(const Spec& spec, std::string_view what);
/// Throws a usage Error naming `what` unless both have one dtype.
void require_same_dtype(const Spec& a, const Spec& b, std::string_view what);

/// Strides that repeat a tensor of `shape` over `target`: 0 along new and stretched axes. Throws a usage
/// Error naming `what` when the shape does not broadcast to the target.
Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target,
                          std::string_view what);
/// The view repeated over `target`.
View broadcast_view(View x, const Shape& target, std::string_view what);

}  // namespace uncial
