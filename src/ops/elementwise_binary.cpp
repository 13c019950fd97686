// Operators of two operands: one record template for arithmetic, whose gradient rules are the overloads of
// gradient_of below, and one for comparisons.
#include "bfloat16.h"
#include "elementwise_support.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/binary.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"

namespace uncial {
namespace {

template <class F>
constexpr const char* kName = nullptr;
#define UNCIAL_ROW(name, Formula) \
  template <>                     \
  constexpr const char* kName<formula::Formula> = #name;
UNCIAL_BINARY_OPS(UNCIAL_ROW)
UNCIAL_COMPARE_OPS(UNCIAL_ROW)
UNCIAL_LOGICAL_OPS(UNCIAL_ROW)
#undef UNCIAL_ROW

/// Brings the gradient of the broadcast result back to the shape of operand i.
Tensor to_operand(const Backward& b, size_t i, const Tensor& gradient) {
  return sum_to(gradient, b.spec(i).shape);
}

Tensor one_half_where_equal(const Tensor& wins, const Tensor& ties, DType dtype) {
  return wins.to(dtype) + 0.5 * ties.to(dtype);
}

Tensor gradient_of(formula::Add, const Backward& b, size_t i) { return to_operand(b, i, b.dy()); }
Tensor gradient_of(formula::Subtract, const Backward& b, size_t i) {
  return to_operand(b, i, i == 0 ? b.dy() : -b.dy());
}
Tensor gradient_of(formula::Multiply, const Backward& b, size_t i) {
  return to_operand(b, i, b.dy() * b.in(1 - i));
}
Tensor gradient_of(formula::Divide, const Backward& b, size_t i) {
  const Tensor da = b.dy() / b.in(1);
  return to_operand(b, i, i == 0 ? da : -da * b.out());
}
Tensor gradient_of(formula::Pow, const Backward& b, size_t i) {
  const Tensor &x = b.in(0), &exponent = b.in(1);
  const Tensor zero = zeros({}, x.dtype(), x.device()), one = ones({}, x.dtype(), x.device());
  if (i == 0) {  // where the exponent is 0 the power is constant; 0 * 0^-1 would be NaN
    const Tensor lower = where(exponent == zero, one, pow(x, exponent - 1.0));
    return to_operand(b, 0, b.dy() * exponent * lower);
  }
  return to_operand(b, 1, b.dy() * b.out() * log(where(x > zero, x, one)));
}
Tensor gradient_of(formula::Minimum, const Backward& b, size_t i) {
  const Tensor &mine = b.in(i), &other = b.in(1 - i);
  return to_operand(b, i, b.dy() * one_half_where_equal(mine < other, mine == other, b.dy().dtype()));
}
Tensor gradient_of(formula::Maximum, const Backward& b, size_t i) {
  const Tensor &mine = b.in(i), &other = b.in(1 - i);
  return to_operand(b, i, b.dy() * one_half_where_equal(mine > other, mine == other, b.dy().dtype()));
}

template <class F>
constexpr Saves saves_of() {
  if constexpr (std::is_same_v<F, formula::Add> || std::is_same_v<F, formula::Subtract>)
    return {.inputs = 0};
  else if constexpr (std::is_same_v<F, formula::Divide>)
    return {.inputs = 2, .outputs = 1};
  else if constexpr (std::is_same_v<F, formula::Pow>)
    return {.inputs = 3, .outputs = 1};
  else
    return {.inputs = 3};
}

void run_broadcast(const Call& c, std::string_view name, auto kernel) {
  kernel(c.device(), broadcast_view(c.in[0], c.out[0].shape, name),
         broadcast_view(c.in[1], c.out[0].shape, name), c.out[0]);
}

Cost with_one_flop_each(Cost c, const Spec& out) {
  c.flops = double(count(out.shape));
  return c;
}

template <class F>
struct BinaryOp : Op {
  std::string_view name() const override { return kName<F>; }
  bool takes_strides() const override { return true; }
  bool pointwise() const override { return true; }
  Specs infer(std::span<const Spec> in) const override {
    require_same_dtype(in[0], in[1], name());
    const DType t = in[0].dtype;
    require(t != DType::boolean, name(),
            ": bool tensors have no arithmetic; count with x.to(DType::int64), or use "
            "logical_and, logical_or, logical_xor, logical_not.");
    if (std::is_same_v<F, formula::Pow>) require_float(in[0], name());
    return {{t, broadcast_shape(in[0].shape, in[1].shape, name()), in[0].device}};
  }
  void run(const Call& c) const override { run_broadcast(c, name(), kernels::binary<F, View, View, View>); }
  Tensors gradient(const Backward& b) const override {
    return {b.needs(0) ? gradient_of(F(), b, 0) : Tensor(), b.needs(1) ? gradient_of(F(), b, 1) : Tensor()};
  }
  Saves saves() const override { return saves_of<F>(); }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    return with_one_flop_each(Op::cost(in, out), out[0]);
  }
};

template <class F>
struct CompareOp : Op {
  std::string_view name() const override { return kName<F>; }
  bool takes_strides() const override { return true; }
  bool differentiable(size_t) const override { return false; }
  Specs infer(std::span<const Spec> in) const override {
    require_same_dtype(in[0], in[1], name());
    return {{DType::boolean, broadcast_shape(in[0].shape, in[1].shape, name()), in[0].device}};
  }
  void run(const Call& c) const override { run_broadcast(c, name(), kernels::compare<F, View, View, View>); }
};

template <class F>
struct LogicalOp : Op {
  std::string_view name() const override { return kName<F>; }
  bool takes_strides() const override { return true; }
  bool differentiable(size_t) const override { return false; }
  Specs infer(std::span<const Spec> in) const override {
    for (const Spec& s : in)
      require(s.dtype == DType::boolean, name(), ": needs bool tensors, got ", s.dtype,
              "; make one with a comparison or to(DType::boolean).");
    return {{DType::boolean, broadcast_shape(in[0].shape, in[1].shape, name()), in[0].device}};
  }
  void run(const Call& c) const override { run_broadcast(c, name(), kernels::logical<F, View, View, View>); }
};

struct WhereOp : Op {
  std::string_view name() const override { return "where"; }
  bool takes_strides() const override { return true; }
  bool differentiable(size_t input) const override { return input > 0; }
  Saves saves() const override { return {.inputs = 1}; }
  Specs infer(std::span<const Spec> in) const override {
    require(in[0].dtype == DType::boolean, "where: the condition must be bool, got ", in[0].dtype,
            "; make one with a comparison or to(DType::boolean).");
    require_same_dtype(in[1], in[2], "where");
    const Shape values = broadcast_shape(in[1].shape, in[2].shape, "where");
    return {{in[1].dtype, broadcast_shape(in[0].shape, values, "where"), in[0].device}};
  }
  void run(const Call& c) const override {
    const View& y = c.out[0];
    const auto operand = [&](size_t i) { return broadcast_view(c.in[i], y.shape, "where"); };
    dispatch(all_types, y.dtype, "where",
             [&]<class T>() { kernels::where<T>(c.device(), operand(0), operand(1), operand(2), y); });
  }
  Tensors gradient(const Backward& b) const override {
    const Tensor zero = zeros({}, b.dy().dtype(), b.dy().device());
    return {Tensor(), b.needs(1) ? to_operand(b, 1, where(b.in(0), b.dy(), zero)) : Tensor(),
            b.needs(2) ? to_operand(b, 2, where(b.in(0), zero, b.dy())) : Tensor()};
  }
};

}  // namespace

#define UNCIAL_DEFINE(name, Formula) \
  Tensor name(const Tensor& a, const Tensor& b) { return rounded_op<BinaryOp<formula::Formula>>({a, b}); }
UNCIAL_BINARY_OPS(UNCIAL_DEFINE)
#undef UNCIAL_DEFINE
#define UNCIAL_DEFINE(name, Formula) \
  Tensor name(const Tensor& a, const Tensor& b) { return widened_op<CompareOp<formula::Formula>>({a, b}); }
UNCIAL_COMPARE_OPS(UNCIAL_DEFINE)
#undef UNCIAL_DEFINE

#define UNCIAL_DEFINE(name, Formula) \
  Tensor name(const Tensor& a, const Tensor& b) { return op<LogicalOp<formula::Formula>>({a, b}); }
UNCIAL_LOGICAL_OPS(UNCIAL_DEFINE)
#undef UNCIAL_DEFINE

Tensor logical_not(const Tensor& x) {
  require(x.dtype() == DType::boolean, "logical_not: needs a bool tensor, got ", x.dtype(),
          "; make one with a comparison or to(DType::boolean).");
  return logical_xor(x, ones({}, DType::boolean, x.device()));
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return rounded_op<WhereOp>({condition, a, b});
}

}  // namespace uncial
