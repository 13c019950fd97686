#pragma once
/// @file unary.h
/// Elementwise kernels of one operand. Here T is the formula (unary_formulas.h); all views are contiguous, of
/// one shape and of dtype float32 or float64. Outputs may be the same memory as an input.

#include "uncial/kernels/kernel.h"
#include "uncial/kernels/unary_formulas.h"

/// y = f(x)
UNCIAL_KERNEL(unary, (const T& f, View x, View y))
/// dx = dy * f.derivative(v), where v is y when T::kFromOutput and x otherwise
UNCIAL_KERNEL(unary_backward, (const T& f, View v, View dy, View dx))
/// dv = g * dy * f.second(v): how unary_backward's result changes with v, for a gradient g of that result
UNCIAL_KERNEL(unary_second, (const T& f, View v, View dy, View g, View dv))
