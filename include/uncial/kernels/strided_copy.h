#pragma once
/// @file strided_copy.h
/// Moving elements between any two layouts and types.

#include "uncial/kernels/kernel.h"

/// y = x, converted. T is y's element type; x has y's shape (stride 0 repeats) and any dtype. Floats become
/// integers by truncation, saturating, with NaN as 0; anything but 0 becomes true. x and y do not overlap.
UNCIAL_KERNEL(strided_copy, (View x, View y))
/// y = value everywhere, converted likewise.
UNCIAL_KERNEL(strided_fill, (double value, View y))
