#pragma once
/// @file binary.h
/// Elementwise kernels of two and three operands. All views have y's shape; repeated axes have stride 0.

#include "uncial/kernels/binary_formulas.h"
#include "uncial/kernels/kernel.h"

/// y = f(a, b) for arithmetic; T is the formula, all views have one dtype and y is contiguous. Throws a usage
/// Error for an integer division by zero.
UNCIAL_KERNEL(binary, (View a, View b, View y))
/// y = f(a, b) for comparisons; y is bool and contiguous.
UNCIAL_KERNEL(compare, (View a, View b, View y))
/// y = f(a, b), all three bool; y is contiguous.
UNCIAL_KERNEL(logical, (View a, View b, View y))
/// y = condition ? a : b; T is the element type of a, b and y, condition is bool.
UNCIAL_KERNEL(where, (View condition, View a, View b, View y))
