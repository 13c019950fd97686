#pragma once
/// @file binary_formulas.h
/// What an elementwise operator of two operands computes, once for all machines. A new one is a struct and a
/// row of a list below; its gradient rule is written in src/ops/elementwise_binary.cpp.

#include "uncial/kernels/math.h"

namespace uncial::formula {
// A table of formulas reads by its columns.
// clang-format off

/// Integers wrap around; computing in the unsigned type makes that defined. (uint8 is computed in int and cut.)
template <class V> struct Wrapping { using Type = V; };
template <> struct Wrapping<int32_t> { using Type = uint32_t; };
template <> struct Wrapping<int64_t> { using Type = uint64_t; };

struct Add {
  template <class V> UNCIAL_HD static V forward(V a, V b) {
    using U = typename Wrapping<V>::Type;
    return V(U(a) + U(b));
  }
};
struct Subtract {
  template <class V> UNCIAL_HD static V forward(V a, V b) {
    using U = typename Wrapping<V>::Type;
    return V(U(a) - U(b));
  }
};
struct Multiply {
  template <class V> UNCIAL_HD static V forward(V a, V b) {
    using U = typename Wrapping<V>::Type;
    return V(U(a) * U(b));
  }
};
/// Integers divide towards zero; b is not 0 then (the kernel checks).
struct Divide {
  template <class V> UNCIAL_HD static V forward(V a, V b) {
    if constexpr (V(1) / V(2) == V(0))  // an integer type: the smallest integer / -1 would trap
      return V(-1) < V(0) && b == V(-1) ? Subtract::forward(V(0), a) : V(a / b);
    else
      return a / b;
  }
};
struct Pow {
  template <class V> UNCIAL_HD static V forward(V a, V b) { return math::pow(a, b); }
};
/// A NaN on either side wins.
struct Minimum {
  template <class V> UNCIAL_HD static V forward(V a, V b) { return a < b || a != a ? a : b; }
};
struct Maximum {
  template <class V> UNCIAL_HD static V forward(V a, V b) { return a > b || a != a ? a : b; }
};

struct Equal {
  template <class V> UNCIAL_HD static bool forward(V a, V b) { return a == b; }
};
struct NotEqual {
  template <class V> UNCIAL_HD static bool forward(V a, V b) { return a != b; }
};
struct Less {
  template <class V> UNCIAL_HD static bool forward(V a, V b) { return a < b; }
};
struct LessEqual {
  template <class V> UNCIAL_HD static bool forward(V a, V b) { return a <= b; }
};
struct Greater {
  template <class V> UNCIAL_HD static bool forward(V a, V b) { return a > b; }
};
struct GreaterEqual {
  template <class V> UNCIAL_HD static bool forward(V a, V b) { return a >= b; }
};

struct LogicalAnd {
  UNCIAL_HD static bool forward(bool a, bool b) { return a && b; }
};
struct LogicalOr {
  UNCIAL_HD static bool forward(bool a, bool b) { return a || b; }
};
struct LogicalXor {
  UNCIAL_HD static bool forward(bool a, bool b) { return a != b; }
};

// clang-format on
}  // namespace uncial::formula

/// Arithmetic, OP(name, struct): float32, float64, int64, int32, uint8 (pow: floats only).
#define UNCIAL_BINARY_OPS(OP) \
  OP(add, Add)                \
  OP(subtract, Subtract)      \
  OP(multiply, Multiply) OP(divide, Divide) OP(minimum, Minimum) OP(maximum, Maximum) OP(pow, Pow)
/// Comparisons: every type but bfloat16; the result is bool.
#define UNCIAL_COMPARE_OPS(OP) \
  OP(equal, Equal)             \
  OP(not_equal, NotEqual)      \
  OP(less, Less) OP(less_equal, LessEqual) OP(greater, Greater) OP(greater_equal, GreaterEqual)
/// Of bool tensors; the result is bool.
#define UNCIAL_LOGICAL_OPS(OP) \
  OP(logical_and, LogicalAnd)  \
  OP(logical_or, LogicalOr) OP(logical_xor, LogicalXor)
