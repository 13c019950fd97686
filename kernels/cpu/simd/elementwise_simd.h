#pragma once
/// @file elementwise_simd.h
/// Loops over contiguous floats, compiled once for each instruction set. Internal.

#include "isa.h"
#include "uncial/kernels/binary_formulas.h"
#include "uncial/kernels/unary_formulas.h"

namespace uncial::cpu {

/// Outputs may be the same memory as an input.
template <class F>
struct UnaryLoops {
  void (*forward)(F f, const float* x, float* y, int64_t size);
  void (*backward)(F f, const float* v, const float* dy, float* dx, int64_t size);
};

/// Either operand may be one value for the whole run: a bias, a scale.
struct BinaryLoops {
  void (*both)(const float* a, const float* b, float* y, int64_t size);
  void (*left_scalar)(float a, const float* b, float* y, int64_t size);
  void (*right_scalar)(const float* a, float b, float* y, int64_t size);
};

#define UNCIAL_ROW(name, Formula) UnaryLoops<formula::Formula> name;
struct UnarySimd {
  UNCIAL_UNARY_OPS(UNCIAL_ROW)
};
#undef UNCIAL_ROW
UNCIAL_SIMD_FAMILY(UnarySimd, unary_simd)

#define UNCIAL_ROW(name, Formula) BinaryLoops name;
struct BinarySimd {
  UNCIAL_BINARY_OPS(UNCIAL_ROW)
};
#undef UNCIAL_ROW
UNCIAL_SIMD_FAMILY(BinarySimd, binary_simd)

/// Finds the row of a formula.
#define UNCIAL_ROW(name, Formula) \
  inline const auto& loops_of(const UnarySimd& family, formula::Formula) { return family.name; }
UNCIAL_UNARY_OPS(UNCIAL_ROW)
#undef UNCIAL_ROW
#define UNCIAL_ROW(name, Formula) \
  inline const auto& loops_of(const BinarySimd& family, formula::Formula) { return family.name; }
UNCIAL_BINARY_OPS(UNCIAL_ROW)
#undef UNCIAL_ROW

}  // namespace uncial::cpu
