#include "uncial/ops/reduce.h"

#include "bfloat16.h"
#include "elementwise_support.h"
#include "reduce_support.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/index.h"
#include "uncial/kernels/reduce.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

using kernels::Extreme;

/// Sum over the axes [first, last), which stay with extent 1.
struct SumOp : Op {
  int first, last;
  SumOp(int first_axis, int last_axis) : first(first_axis), last(last_axis) {}
  std::string_view name() const override { return "sum"; }
  Specs infer(std::span<const Spec> in) const override {
    Spec out = in[0];
    if (!is_floating(out.dtype)) out.dtype = DType::int64;
    for (int axis = first; axis < last; ++axis) out.shape[axis] = 1;
    return {out};
  }
  void run(const Call& c) const override {
    dispatch(all_types, c.in[0].dtype, name(), [&]<class T>() {
      kernels::reduce_sum<T>(c.device(), c.in[0].as<const T>(),
                             c.out[0].as<typename kernels::SumOf<T>::Result>(),
                             around(c.in[0].shape, first, last));
    });
  }
  Tensors gradient(const Backward& b) const override { return {expand(b.dy(), b.spec(0).shape)}; }
  Saves saves() const override { return {.inputs = 0}; }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = double(count(in[0].shape));
    return c;
  }
  std::vector<Attribute> attributes() const override {
    return {{"first_axis", int64_t(first)}, {"last_axis", int64_t(last)}};
  }
};

/// y = x[index] along an axis where index has extent 1; the gradient of PutAlongOp.
struct TakeAlongOp : Op {
  int axis;
  explicit TakeAlongOp(int along) : axis(along) {}
  std::string_view name() const override { return "take_along"; }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 2}; }
  Specs infer(std::span<const Spec> in) const override { return {{in[0].dtype, in[1].shape, in[0].device}}; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::take_along<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const int64_t>(), c.out[0].as<T>(),
                             around(c.in[0].shape, axis, axis + 1));
    });
  }
  Tensors gradient(const Backward& b) const override;
};

/// Zeros of extent n along an axis, with dy at index; the gradient of every operator that picks elements.
struct PutAlongOp : Op {
  int axis;
  int64_t n;
  PutAlongOp(int along, int64_t extent) : axis(along), n(extent) {}
  std::string_view name() const override { return "put_along"; }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 2}; }
  Specs infer(std::span<const Spec> in) const override {
    Spec out = in[0];
    out.shape[axis] = n;
    return {out};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::put_along<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const int64_t>(), c.out[0].as<T>(),
                            around(c.out[0].shape, axis, axis + 1));
    });
  }
  Tensors gradient(const Backward& b) const override { return {op<TakeAlongOp>({b.dy(), b.in(1)}, axis)}; }
};

Tensors TakeAlongOp::gradient(const Backward& b) const {
  return {op<PutAlongOp>({b.dy(), b.in(1)}, axis, b.spec(0).shape[axis])};
}

/// Outputs: the extreme values and their indices; the axis stays with extent 1.
struct ExtremeOp : Op {
  Extreme which;
  int axis;
  ExtremeOp(Extreme extreme, int along) : which(extreme), axis(along) {}
  std::string_view name() const override { return which == Extreme::max ? "max" : "min"; }
  Saves saves() const override { return {.inputs = 0, .outputs = 2}; }
  Specs infer(std::span<const Spec> in) const override {
    require(in[0].shape[axis] > 0, name(), ": axis ", axis, " of shape ", in[0].shape, " is empty.");
    Spec values = in[0];
    values.shape[axis] = 1;
    return {values, {DType::int64, values.shape, values.device}};
  }
  void run(const Call& c) const override {
    dispatch(all_types, c.in[0].dtype, name(), [&]<class T>() {
      kernels::reduce_extreme<T>(c.device(), which, c.in[0].as<const T>(), c.out[0].as<T>(),
                                 c.out[1].as<int64_t>(), around(c.in[0].shape, axis, axis + 1));
    });
  }
  Tensors gradient(const Backward& b) const override {
    return {op<PutAlongOp>({b.dy(0), b.out(1)}, axis, b.spec(0).shape[axis])};
  }
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}}; }
};

Tensor drop(const Tensor& x, int axis, KeepDims keep) { return keep.value ? x : squeeze(x, axis); }

Tensor extreme(Extreme which, const Tensor& x, int64_t axis, KeepDims keep, std::string_view what) {
  const int a = wrap_axis(axis, x.rank(), what);
  return rounded({x}, [&](const Tensors& in) {
    return drop(apply_op(std::make_shared<const ExtremeOp>(which, a), in)[0], a, keep);
  });
}

/// Nothing to average is the caller's mistake; 0 / 0 would hide it.
int64_t averaged(const Tensor& x, int64_t elements, std::string_view what) {
  require_float(x.spec(), what);
  require(elements > 0, what, ": nothing to average in shape ", x.shape(), ".");
  return elements;
}

}  // namespace

Tensor sum(const Tensor& x) { return reshape(rounded_op<SumOp>({x}, 0, x.rank()), {}); }

Tensor sum(const Tensor& x, int64_t axis, KeepDims keep) {
  const int a = wrap_axis(axis, x.rank(), "sum");
  return drop(rounded_op<SumOp>({x}, a, a + 1), a, keep);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (is_bfloat16(x)) return sum_to(x.to(DType::float32), shape).to(DType::bfloat16);
  broadcast_strides(shape, row_major(shape), x.shape(), "sum_to");
  const int added = x.rank() - shape.rank();
  const auto reduced = [&](int axis) {
    return axis < added || (shape[axis - added] == 1 && x.shape()[axis] != 1);
  };
  Tensor y = x;
  // Innermost first: neighbouring axes are summed at once, and what remains for the outer ones is smaller.
  for (int last = x.rank(); last > 0;) {
    int first = last;
    while (first > 0 && reduced(first - 1)) --first;
    if (first < last) y = op<SumOp>({y}, first, last);
    last = first < last ? first : last - 1;
  }
  return reshape(y, shape);
}

Tensor mean(const Tensor& x) {
  return rounded(
      {x}, [](const Tensors& in) { return sum(in[0]) / double(averaged(in[0], in[0].size(), "mean")); });
}

Tensor mean(const Tensor& x, int64_t axis, KeepDims keep) {
  const int a = wrap_axis(axis, x.rank(), "mean");
  return rounded({x}, [&](const Tensors& in) {
    return sum(in[0], a, keep) / double(averaged(in[0], x.shape()[a], "mean"));
  });
}

Tensor max(const Tensor& x) { return max(reshape(x, {x.size()}), 0); }
Tensor max(const Tensor& x, int64_t axis, KeepDims keep) {
  return extreme(Extreme::max, x, axis, keep, "max");
}
Tensor min(const Tensor& x) { return min(reshape(x, {x.size()}), 0); }
Tensor min(const Tensor& x, int64_t axis, KeepDims keep) {
  return extreme(Extreme::min, x, axis, keep, "min");
}

Tensor argmax(const Tensor& x, int64_t axis, KeepDims keep) {
  const int a = wrap_axis(axis, x.rank(), "argmax");
  Tensors in{x.detach()};
  widen(in);
  return drop(apply_op(std::make_shared<const ExtremeOp>(Extreme::max, a), in)[1], a, keep);
}

Tensor var(const Tensor& x, int64_t axis, VarOptions options) {
  const int a = wrap_axis(axis, x.rank(), "var");
  if (is_bfloat16(x)) return var(x.to(DType::float32), axis, options).to(DType::bfloat16);
  const int64_t n = averaged(x, x.shape()[a], "var"), divisor = options.unbiased ? n - 1 : n;
  require(divisor > 0, "var: the unbiased variance needs two values, axis ", a, " of shape ", x.shape(),
          " has one.");
  return sum(square(x - mean(x, a, keep_dims)), a, options.keep) / double(divisor);
}

}  // namespace uncial
