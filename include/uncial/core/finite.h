#pragma once
/// @file finite.h
/// Looking for NaN and infinity.

#include <optional>

#include "uncial/core/tensor.h"

namespace uncial {

/// Place (in row-major order) of the first element that is NaN or infinite; nothing when all are finite, as
/// integers always are.
std::optional<int64_t> first_non_finite(const Tensor& x);
inline bool all_finite(const Tensor& x) { return !first_non_finite(x); }

}  // namespace uncial
