#pragma once
/// @file unary_formulas.h
/// What an elementwise operator of one operand computes, once for all machines: float, double, vector loops
/// and CUDA threads. A new activation is one struct and one row of the list below.
///
/// Each struct has
///   forward(x)      y
///   derivative(v)   dy/dx, as a function of v: of y where kFromOutput (then x need not be kept), else of x
///   second(v)       d derivative / dv, which is what makes every one of them differentiable twice

#include "uncial/kernels/math.h"

namespace uncial::formula {
// A table of formulas reads by its columns.
// clang-format off

/// Written so that NaN passes. The gradient at 0 is 0.
struct Relu {
  static constexpr bool kFromOutput = true;
  template <class V> UNCIAL_HD V forward(V x) const { return x < V(0) ? V(0) : x; }
  template <class V> UNCIAL_HD V derivative(V y) const { return y > V(0) ? V(1) : V(0); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

struct LeakyRelu {
  static constexpr bool kFromOutput = false;
  double slope;
  template <class V> UNCIAL_HD V forward(V x) const { return x > V(0) ? x : V(slope) * x; }
  template <class V> UNCIAL_HD V derivative(V x) const { return x > V(0) ? V(1) : V(slope); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

struct Elu {
  static constexpr bool kFromOutput = false;
  double alpha;
  template <class V> UNCIAL_HD V forward(V x) const { return x > V(0) ? x : V(alpha) * math::expm1(x); }
  template <class V> UNCIAL_HD V derivative(V x) const { return x > V(0) ? V(1) : V(alpha) * math::exp(x); }
  template <class V> UNCIAL_HD V second(V x) const { return x > V(0) ? V(0) : V(alpha) * math::exp(x); }
};

/// x Phi(x); Phi and phi are the normal distribution function and its density.
struct Gelu {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD static V distribution(V x) {
    return V(0.5) * (V(1) + math::erf(x * V(0.70710678118654752)));
  }
  template <class V> UNCIAL_HD static V density(V x) {
    return V(0.39894228040143268) * math::exp(V(-0.5) * x * x);
  }
  template <class V> UNCIAL_HD V forward(V x) const { return x * distribution(x); }
  template <class V> UNCIAL_HD V derivative(V x) const { return distribution(x) + x * density(x); }
  template <class V> UNCIAL_HD V second(V x) const { return density(x) * (V(2) - x * x); }
};

/// Where e^-x overflows to infinity the quotient is 0, as it should be.
struct Sigmoid {
  static constexpr bool kFromOutput = true;
  template <class V> UNCIAL_HD V forward(V x) const { return V(1) / (V(1) + math::exp(-x)); }
  template <class V> UNCIAL_HD V derivative(V y) const { return y * (V(1) - y); }
  template <class V> UNCIAL_HD V second(V y) const { return V(1) - V(2) * y; }
};

struct Silu {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return x * Sigmoid().forward(x); }
  template <class V> UNCIAL_HD V derivative(V x) const {
    const V s = Sigmoid().forward(x);
    return s + x * s * (V(1) - s);
  }
  template <class V> UNCIAL_HD V second(V x) const {
    const V s = Sigmoid().forward(x);
    return s * (V(1) - s) * (V(2) + x * (V(1) - V(2) * s));
  }
};

struct Tanh {
  static constexpr bool kFromOutput = true;
  template <class V> UNCIAL_HD V forward(V x) const { return math::tanh(x); }
  template <class V> UNCIAL_HD V derivative(V y) const { return V(1) - y * y; }
  template <class V> UNCIAL_HD V second(V y) const { return V(-2) * y; }
};

/// ln(1 + e^x), written with e^-|x| <= 1, so that it never overflows.
struct Softplus {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const {
    return Relu().forward(x) + math::log1p(math::exp(-math::abs(x)));
  }
  template <class V> UNCIAL_HD V derivative(V x) const { return Sigmoid().forward(x); }
  template <class V> UNCIAL_HD V second(V x) const { return Sigmoid().derivative(Sigmoid().forward(x)); }
};

struct Exp {
  static constexpr bool kFromOutput = true;
  template <class V> UNCIAL_HD V forward(V x) const { return math::exp(x); }
  template <class V> UNCIAL_HD V derivative(V y) const { return y; }
  template <class V> UNCIAL_HD V second(V) const { return V(1); }
};

struct Log {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return math::log(x); }
  template <class V> UNCIAL_HD V derivative(V x) const { return V(1) / x; }
  template <class V> UNCIAL_HD V second(V x) const { return V(-1) / (x * x); }
};

struct Sqrt {
  static constexpr bool kFromOutput = true;
  template <class V> UNCIAL_HD V forward(V x) const { return math::sqrt(x); }
  template <class V> UNCIAL_HD V derivative(V y) const { return V(0.5) / y; }
  template <class V> UNCIAL_HD V second(V y) const { return V(-0.5) / (y * y); }
};

struct Abs {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return math::abs(x); }
  template <class V> UNCIAL_HD V derivative(V x) const { return x > V(0) ? V(1) : x < V(0) ? V(-1) : V(0); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

struct Sign {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return x > V(0) ? V(1) : x < V(0) ? V(-1) : x; }
  template <class V> UNCIAL_HD V derivative(V) const { return V(0); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

struct Square {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return x * x; }
  template <class V> UNCIAL_HD V derivative(V x) const { return V(2) * x; }
  template <class V> UNCIAL_HD V second(V) const { return V(2); }
};

struct Reciprocal {
  static constexpr bool kFromOutput = true;
  template <class V> UNCIAL_HD V forward(V x) const { return V(1) / x; }
  template <class V> UNCIAL_HD V derivative(V y) const { return -y * y; }
  template <class V> UNCIAL_HD V second(V y) const { return V(-2) * y; }
};

struct Sin {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return math::sin(x); }
  template <class V> UNCIAL_HD V derivative(V x) const { return math::cos(x); }
  template <class V> UNCIAL_HD V second(V x) const { return -math::sin(x); }
};

struct Cos {
  static constexpr bool kFromOutput = false;
  template <class V> UNCIAL_HD V forward(V x) const { return math::cos(x); }
  template <class V> UNCIAL_HD V derivative(V x) const { return -math::sin(x); }
  template <class V> UNCIAL_HD V second(V x) const { return -math::cos(x); }
};

/// Limits x to [low, high]; NaN passes.
struct Clip {
  static constexpr bool kFromOutput = false;
  double low, high;
  template <class V> UNCIAL_HD V forward(V x) const {
    return x < V(low) ? V(low) : x > V(high) ? V(high) : x;
  }
  template <class V> UNCIAL_HD V derivative(V x) const { return x >= V(low) && x <= V(high) ? V(1) : V(0); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

/// x^exponent. The factor is tested first: 0 * 0^-1 would be NaN.
struct PowScalar {
  static constexpr bool kFromOutput = false;
  double exponent;
  template <class V> UNCIAL_HD static V term(double factor, V x, double exponent) {
    return factor == 0 ? V(0) : V(factor) * math::pow(x, V(exponent));
  }
  template <class V> UNCIAL_HD V forward(V x) const { return math::pow(x, V(exponent)); }
  template <class V> UNCIAL_HD V derivative(V x) const { return term(exponent, x, exponent - 1); }
  template <class V> UNCIAL_HD V second(V x) const {
    return term(exponent * (exponent - 1), x, exponent - 2);
  }
};

/// numerator / x
struct Quotient {
  static constexpr bool kFromOutput = false;
  double numerator;
  template <class V> UNCIAL_HD V forward(V x) const { return V(numerator) / x; }
  template <class V> UNCIAL_HD V derivative(V x) const { return V(-numerator) / (x * x); }
  template <class V> UNCIAL_HD V second(V x) const { return V(2 * numerator) / (x * x * x); }
};

/// scale * x + shift. A shift of -0 changes nothing, not even a zero's sign.
struct Affine {
  static constexpr bool kFromOutput = false;
  double scale = 1, shift = -0.0;
  template <class V> UNCIAL_HD V forward(V x) const { return V(scale) * x + V(shift); }
  template <class V> UNCIAL_HD V derivative(V) const { return V(scale); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

/// x / divisor, rounded once.
struct DivideBy {
  static constexpr bool kFromOutput = false;
  double divisor;
  template <class V> UNCIAL_HD V forward(V x) const { return x / V(divisor); }
  template <class V> UNCIAL_HD V derivative(V) const { return V(1) / V(divisor); }
  template <class V> UNCIAL_HD V second(V) const { return V(0); }
};

// clang-format on
}  // namespace uncial::formula

/// Every formula: OP(name of the operator, struct). Loops, tests and backends walk this list.
#define UNCIAL_UNARY_OPS(OP)                                                                                \
  OP(relu, Relu)                                                                                            \
  OP(leaky_relu, LeakyRelu)                                                                                 \
  OP(elu, Elu)                                                                                              \
  OP(gelu, Gelu) OP(sigmoid, Sigmoid) OP(silu, Silu) OP(tanh, Tanh) OP(softplus, Softplus) OP(exp, Exp)     \
      OP(log, Log) OP(sqrt, Sqrt) OP(abs, Abs) OP(sign, Sign) OP(square, Square) OP(reciprocal, Reciprocal) \
          OP(sin, Sin) OP(cos, Cos) OP(clip, Clip) OP(pow_scalar, PowScalar) OP(quotient, Quotient)         \
              OP(affine, Affine) OP(divide_by, DivideBy)
