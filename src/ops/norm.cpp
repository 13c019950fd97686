#include "uncial/ops/norm.h"

#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/norm.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// x (N, C, ...) as (N, C, L).
NormExtents norm_extents(const Shape& x) {
  NormExtents e{x[0], x[1], 1};
  for (int axis = 2; axis < x.rank(); ++axis) e.L *= x[axis];
  return e;
}

/// Checks x (N, C, ...) and the parameters of its channels, in[1] ..., named by `names`.
void check_channels(std::string_view what, std::span<const Spec> in, std::initializer_list<const char*> names,
                    double epsilon) {
  const Shape& x = in[0].shape;
  require(x.rank() >= 2, what, ": x must be (N, C) or (N, C, ...), got ", x,
          x.rank() == 1 ? "; for a single sample pass x.unsqueeze(0)." : ".");
  require(is_floating(in[0].dtype), what, ": x must be of a float dtype, got ", in[0].dtype, ".");
  size_t i = 1;
  for (const char* name : names) {
    require(in[i].shape == Shape{x[1]}, what, ": ", name, in[i].shape, " must be (", x[1],
            "), one value for each of the ", x[1], " channels of x", x, ".");
    require(in[i].dtype == in[0].dtype, what, ": ", name, " is ", in[i].dtype, " and x ", in[0].dtype,
            "; convert one with to().");
    ++i;
  }
  require(epsilon > 0, what, ": epsilon must be > 0, got ", epsilon, ".");
}

/// A channel's worth of values, ready to broadcast against x (N, C, ...).
Tensor along_channels(const Tensor& v, const Shape& x) {
  Shape shape = Extents::filled(x.rank(), 1);
  shape[1] = x[1];
  return reshape(v, shape);
}

/// The gradient rule of batch_norm in differentiable operators, for whoever differentiates it again:
/// statistics are functions of x here, while BatchNormBackwardOp takes them as numbers. With h = (x - mean) /
/// deviation:  dx = scale / deviation * (dy - mean(dy) - h mean(dy h)).
Tensors batch_norm_gradients(const Tensor& dy, const Tensor& x, const Tensor& scale, double epsilon) {
  const Shape channels = along_channels(scale, x.shape()).shape();
  const auto channel_mean = [&](const Tensor& t) {
    return sum_to(t, channels) / (double(x.size()) / double(x.size(1)));
  };
  const Tensor centred = x - channel_mean(x);
  const Tensor inverse = 1.0 / sqrt(channel_mean(square(centred)) + epsilon), h = centred * inverse;
  const Tensor dx =
      (dy - channel_mean(dy) - h * channel_mean(dy * h)) * (along_channels(scale, x.shape()) * inverse);
  return {dx, sum_to(dy * h, channels).reshape(scale.shape()), sum_to(dy, channels).reshape(scale.shape())};
}

struct NormOp : Op {
  explicit NormOp(double epsilon) : epsilon(epsilon) {}
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = flops_per_element * double(count(in[0].shape));
    return c;
  }
  std::vector<Attribute> attributes() const override { return {{"epsilon", epsilon}}; }
  double epsilon;
  double flops_per_element = 3;
};

/// Inputs dy, x, scale, mean, variance -> dx, dscale, dshift.
struct BatchNormBackwardOp : NormOp {
  explicit BatchNormBackwardOp(double epsilon) : NormOp(epsilon) { flops_per_element = 8; }
  std::string_view name() const override { return "batch_norm_backward"; }
  Specs infer(std::span<const Spec> in) const override { return {in[1], in[2], in[2]}; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::batch_norm_backward<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(),
                                      c.in[2].as<const T>(), c.in[3].as<const T>(), c.in[4].as<const T>(),
                                      epsilon, c.out[0].as<T>(), c.out[1].as<T>(), c.out[2].as<T>(),
                                      norm_extents(c.in[1].shape));
    });
  }
};

/// Inputs x, scale, shift -> y, mean, variance.
struct BatchNormOp : NormOp {
  explicit BatchNormOp(double epsilon) : NormOp(epsilon) { flops_per_element = 7; }
  std::string_view name() const override { return "batch_norm"; }
  Specs infer(std::span<const Spec> in) const override {
    check_channels(name(), in, {"scale", "shift"}, epsilon);
    const NormExtents e = norm_extents(in[0].shape);
    require(e.N * e.L > 0 || e.C == 0, name(), ": x", in[0].shape,
            " has no values to take statistics of; skip empty batches.");
    return {in[0], in[1], in[1]};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::batch_norm<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(), c.in[2].as<const T>(),
                             epsilon, c.out[0].as<T>(), c.out[1].as<T>(), c.out[2].as<T>(),
                             norm_extents(c.in[0].shape));
    });
  }
  /// mean and variance are results for running averages: no gradient flows back from them.
  Tensors gradient(const Backward& b) const override {
    if (grad_enabled()) return batch_norm_gradients(b.dy(), b.in(0), b.in(1), epsilon);
    return apply_op(std::make_shared<BatchNormBackwardOp>(epsilon),
                    {b.dy(), b.in(0), b.in(1), b.out(1), b.out(2)});
  }
  Saves saves() const override { return {.inputs = 0b011, .outputs = 0b110}; }
};

/// Inputs x, scale, shift, mean, variance -> y.
struct BatchNormInferenceOp : NormOp {
  using NormOp::NormOp;
  std::string_view name() const override { return "batch_norm_inference"; }
  Specs infer(std::span<const Spec> in) const override {
    check_channels(name(), in, {"scale", "shift", "mean", "variance"}, epsilon);
    return {in[0]};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::batch_norm_inference<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(),
                                       c.in[2].as<const T>(), c.in[3].as<const T>(), c.in[4].as<const T>(),
                                       epsilon, c.out[0].as<T>(), norm_extents(c.in[0].shape));
    });
  }
  /// With f = scale / sqrt(variance + epsilon): y = (x - mean) * f + shift.
  Tensors gradient(const Backward& b) const override {
    const Shape &x = b.spec(0).shape, &channels = b.spec(1).shape;
    const Tensor inverse = 1.0 / sqrt(b.in(4) + epsilon);
    const Tensor factor = b.in(1) * inverse;
    const auto channel_sum = [&](const Tensor& t) {
      return sum_to(t, along_channels(b.in(1), x).shape()).reshape(channels);
    };
    Tensors dx(5);
    if (b.needs(0)) dx[0] = b.dy() * along_channels(factor, x);
    if (b.needs(2)) dx[2] = channel_sum(b.dy());
    if (b.needs(3)) dx[3] = -(channel_sum(b.dy()) * factor);
    if (b.needs(1) || b.needs(4)) {
      const Tensor dfactor = channel_sum(b.dy() * (b.in(0) - along_channels(b.in(3), x)));
      dx[1] = dfactor * inverse;
      dx[4] = dfactor * factor * square(inverse) * -0.5;
    }
    return dx;
  }
  Saves saves() const override { return {.inputs = 0b11011}; }
};

/// The parameter, or one that changes nothing.
Tensor value_or(const Tensor& parameter, double neutral, const Tensor& x, int64_t axis) {
  if (parameter.defined()) return parameter;
  return full({x.rank() > axis ? x.size(axis) : 0}, neutral, x.dtype(), x.device());
}

}  // namespace

BatchNormResult batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon) {
  const Tensors out = apply_op(std::make_shared<BatchNormOp>(epsilon),
                               {x, value_or(scale, 1, x, 1), value_or(shift, 0, x, 1)});
  return {out[0], out[1].detach(), out[2].detach()};
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& mean,
                            const Tensor& variance, double epsilon) {
  return op<BatchNormInferenceOp>({x, value_or(scale, 1, x, 1), value_or(shift, 0, x, 1), mean, variance},
                                  epsilon);
}

}  // namespace uncial
