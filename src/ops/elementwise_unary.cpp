// Operators of one operand: three records that serve every formula of kernels/unary_formulas.h.
#include <cmath>

#include "bfloat16.h"
#include "elementwise_support.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/unary.h"
#include "uncial/ops/elementwise.h"

namespace uncial {
namespace {

template <class F>
constexpr const char* kName = nullptr;
#define UNCIAL_ROW(name, Formula) \
  template <>                     \
  constexpr const char* kName<formula::Formula> = #name;
UNCIAL_UNARY_OPS(UNCIAL_ROW)
#undef UNCIAL_ROW

template <class F>
std::vector<Attribute> attributes_of(const F&) {
  return {};
}
std::vector<Attribute> attributes_of(const formula::LeakyRelu& f) { return {{"slope", f.slope}}; }
std::vector<Attribute> attributes_of(const formula::Elu& f) { return {{"alpha", f.alpha}}; }
std::vector<Attribute> attributes_of(const formula::Clip& f) { return {{"low", f.low}, {"high", f.high}}; }
std::vector<Attribute> attributes_of(const formula::PowScalar& f) { return {{"exponent", f.exponent}}; }
std::vector<Attribute> attributes_of(const formula::Quotient& f) { return {{"numerator", f.numerator}}; }
std::vector<Attribute> attributes_of(const formula::Affine& f) {
  return {{"scale", f.scale}, {"shift", f.shift}};
}
std::vector<Attribute> attributes_of(const formula::DivideBy& f) { return {{"divisor", f.divisor}}; }

/// A record over a formula; its inputs have one shape and one float dtype, and so has the output.
template <class F>
struct FormulaOp : Op {
  F f;
  explicit FormulaOp(F formula) : f(formula) {}
  Specs infer(std::span<const Spec> in) const override {
    require_float(in[0], kName<F>);
    return {in[0]};
  }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = double(count(out[0].shape));
    return c;
  }
  bool pointwise() const override { return true; }
  std::vector<Attribute> attributes() const override { return attributes_of(f); }
};

/// dv = g * dy * f.second(v). It has no gradient: two differentiations are what anybody asked for.
template <class F>
struct UnarySecondOp : FormulaOp<F> {
  using FormulaOp<F>::FormulaOp;
  std::string_view name() const override { return "unary_second"; }
  void run(const Call& c) const override {
    kernels::unary_second<F>(c.device(), this->f, c.in[0], c.in[1], c.in[2], c.out[0]);
  }
};

/// dx = dy * f.derivative(v), with v = y when the formula says so and x otherwise. Differentiable itself.
template <class F>
struct UnaryBackwardOp : FormulaOp<F> {
  using FormulaOp<F>::FormulaOp;
  std::string_view name() const override { return "unary_backward"; }
  void run(const Call& c) const override {
    kernels::unary_backward<F>(c.device(), this->f, c.in[0], c.in[1], c.out[0]);
  }
  std::vector<Attribute> attributes() const override {
    std::vector<Attribute> all = attributes_of(this->f);
    all.push_back({"of", std::string(kName<F>)});
    return all;
  }
  Tensors gradient(const Backward& b) const override {
    return {b.needs(0) ? op<UnarySecondOp<F>>({b.in(0), b.in(1), b.dy()}, this->f) : Tensor(),
            b.needs(1) ? op<UnaryBackwardOp<F>>({b.in(0), b.dy()}, this->f) : Tensor()};
  }
};

template <class F>
struct UnaryOp : FormulaOp<F> {
  using FormulaOp<F>::FormulaOp;
  std::string_view name() const override { return kName<F>; }
  void run(const Call& c) const override { kernels::unary<F>(c.device(), this->f, c.in[0], c.out[0]); }
  Tensors gradient(const Backward& b) const override {
    return {op<UnaryBackwardOp<F>>({F::kFromOutput ? b.out() : b.in(0), b.dy()}, this->f)};
  }
  Saves saves() const override {
    return {.inputs = F::kFromOutput ? 0u : 1u, .outputs = F::kFromOutput ? 1u : 0u};
  }
};

/// Formulas whose gradient is the same kind of map of dy, so that nothing is saved.
struct AffineOp : UnaryOp<formula::Affine> {
  using UnaryOp::UnaryOp;
  Tensors gradient(const Backward& b) const override {
    return {f.scale == 1 ? b.dy() : op<AffineOp>({b.dy()}, formula::Affine{.scale = f.scale})};
  }
  Saves saves() const override { return {.inputs = 0}; }
};

struct DivideByOp : UnaryOp<formula::DivideBy> {
  using UnaryOp::UnaryOp;
  Tensors gradient(const Backward& b) const override { return {op<DivideByOp>({b.dy()}, f)}; }
  Saves saves() const override { return {.inputs = 0}; }
};

Tensor affine(const Tensor& x, formula::Affine f) { return rounded_op<AffineOp>({x}, f); }

/// Integer tensors take the operators of two operands; only a whole number within their range fits them.
bool takes_formula(const Tensor& x) { return is_floating(x.dtype()); }
Tensor constant(double value, const Tensor& x) {
  require(std::trunc(value) == value && std::abs(value) < 0x1p63, "arithmetic of a ", x.dtype(),
          " tensor and ", value, ": the number is not whole; convert with x.to(DType::float32).");
  const Tensor number = full({}, value, x.dtype(), x.device());
  require(x.dtype() == DType::boolean || number.item() == value, "arithmetic of a ", x.dtype(),
          " tensor and ", value, ": the number is out of its range; convert with x.to(DType::int64).");
  return number;
}

}  // namespace

Tensor operator+(const Tensor& a, double b) {
  return takes_formula(a) ? affine(a, {.shift = b}) : add(a, constant(b, a));
}
Tensor operator+(double a, const Tensor& b) { return b + a; }
Tensor operator-(const Tensor& a, double b) {
  return takes_formula(a) ? affine(a, {.shift = -b}) : subtract(a, constant(b, a));
}
Tensor operator-(double a, const Tensor& b) {
  return takes_formula(b) ? affine(b, {.scale = -1, .shift = a}) : subtract(constant(a, b), b);
}
Tensor operator*(const Tensor& a, double b) {
  return takes_formula(a) ? affine(a, {.scale = b}) : multiply(a, constant(b, a));
}
Tensor operator*(double a, const Tensor& b) { return b * a; }
Tensor operator/(const Tensor& a, double b) {
  return takes_formula(a) ? rounded_op<DivideByOp>({a}, formula::DivideBy{b}) : divide(a, constant(b, a));
}
Tensor operator/(double a, const Tensor& b) {
  return takes_formula(b) ? rounded_op<UnaryOp<formula::Quotient>>({b}, formula::Quotient{a})
                          : divide(constant(a, b), b);
}
Tensor operator-(const Tensor& x) { return takes_formula(x) ? x * -1.0 : 0.0 - x; }

Tensor pow(const Tensor& x, double exponent) {
  if (exponent == 2) return square(x);
  return rounded_op<UnaryOp<formula::PowScalar>>({x}, formula::PowScalar{exponent});
}

Tensor clip(const Tensor& x, double low, double high) {
  require(low <= high, "clip: low ", low, " must not be above high ", high, ".");
  return rounded_op<UnaryOp<formula::Clip>>({x}, formula::Clip{low, high});
}

Tensor leaky_relu(const Tensor& x, double slope) {
  return rounded_op<UnaryOp<formula::LeakyRelu>>({x}, formula::LeakyRelu{slope});
}
Tensor elu(const Tensor& x, double alpha) {
  return rounded_op<UnaryOp<formula::Elu>>({x}, formula::Elu{alpha});
}

#define UNCIAL_DEFINE(name, Formula) \
  Tensor name(const Tensor& x) { return rounded_op<UnaryOp<formula::Formula>>({x}, formula::Formula()); }
UNCIAL_DEFINE(relu, Relu)
UNCIAL_DEFINE(gelu, Gelu)
UNCIAL_DEFINE(sigmoid, Sigmoid)
UNCIAL_DEFINE(silu, Silu)
UNCIAL_DEFINE(tanh, Tanh)
UNCIAL_DEFINE(softplus, Softplus)
UNCIAL_DEFINE(exp, Exp)
UNCIAL_DEFINE(log, Log)
UNCIAL_DEFINE(sqrt, Sqrt)
UNCIAL_DEFINE(abs, Abs)
UNCIAL_DEFINE(sign, Sign)
UNCIAL_DEFINE(square, Square)
UNCIAL_DEFINE(reciprocal, Reciprocal)
UNCIAL_DEFINE(sin, Sin)
UNCIAL_DEFINE(cos, Cos)
#undef UNCIAL_DEFINE

}  // namespace uncial
