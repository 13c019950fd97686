#include "uncial/kernels/layer_norm.h"
#include "bfloat16.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/norm.h"
#include "uncial/ops/reduce.h"

namespace uncial {
namespace {

/// x (..., D) as rows.
LayerNormExtents row_extents(const Shape& x) {
  const int64_t D = x[x.rank() - 1];
  return {count(x) / D, D};
}

/// A value a row.
Spec of_rows(Spec x) {
  x.shape[x.shape.rank() - 1] = 1;
  return x;
}

/// The gradient rule in differentiable operators, for whoever differentiates it again. With h = (x - mean) /
/// deviation and g = dy * scale:  dx = (g - mean(g) - h mean(g h)) / deviation.
Tensors differentiable_gradients(const Tensor& dy, const Tensor& x, const Tensor& scale, double epsilon) {
  const auto row_mean = [](const Tensor& t) { return mean(t, -1, keep_dims); };
  const Tensor centred = x - row_mean(x), inverse = 1.0 / sqrt(row_mean(square(centred)) + epsilon),
               h = centred * inverse, g = dy * scale;
  return {(g - row_mean(g) - h * row_mean(g * h)) * inverse, sum_to(dy * h, scale.shape()),
          sum_to(dy, scale.shape())};
}

/// Inputs dy, x, scale, mean, inverse -> dx, dscale, dshift.
struct LayerNormBackwardOp : Op {
  std::string_view name() const override { return "layer_norm_backward"; }
  Specs infer(std::span<const Spec> in) const override { return {in[1], in[2], in[2]}; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::layer_norm_backward<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(),
                                      c.in[2].as<const T>(), c.in[3].as<const T>(), c.in[4].as<const T>(),
                                      c.out[0].as<T>(), c.out[1].as<T>(), c.out[2].as<T>(),
                                      row_extents(c.in[1].shape));
    });
  }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 15 * double(count(in[1].shape));
    return c;
  }
};

/// Inputs x, scale, shift -> y, mean, inverse deviation.
struct LayerNormOp : Op {
  explicit LayerNormOp(double epsilon) : epsilon(epsilon) {}
  std::string_view name() const override { return "layer_norm"; }
  Specs infer(std::span<const Spec> in) const override {
    const Shape& x = in[0].shape;
    require(is_floating(in[0].dtype), name(), ": x must be of a float dtype, got ", in[0].dtype, ".");
    require(x.rank() >= 1 && x[x.rank() - 1] >= 1, name(), ": x", x,
            " needs at least one value along its last axis.");
    require(epsilon > 0, name(), ": epsilon must be > 0, got ", epsilon, ".");
    for (size_t i : {1, 2}) {
      const char* parameter = i == 1 ? "scale" : "shift";
      require(in[i].shape == Shape{x[x.rank() - 1]}, name(), ": ", parameter, in[i].shape, " must be (",
              x[x.rank() - 1], "), the last extent of x", x, ".");
      require(in[i].dtype == in[0].dtype, name(), ": ", parameter, " is ", in[i].dtype, " and x ",
              in[0].dtype, "; convert one with to().");
    }
    return {in[0], of_rows(in[0]), of_rows(in[0])};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::layer_norm<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(), c.in[2].as<const T>(),
                             epsilon, c.out[0].as<T>(), c.out[1].as<T>(), c.out[2].as<T>(),
                             row_extents(c.in[0].shape));
    });
  }
  /// Statistics stay inside: no gradient flows back from them.
  Tensors gradient(const Backward& b) const override {
    if (grad_enabled()) return differentiable_gradients(b.dy(), b.in(0), b.in(1), epsilon);
    return apply_op(std::make_shared<LayerNormBackwardOp>(), {b.dy(), b.in(0), b.in(1), b.out(1), b.out(2)});
  }
  Saves saves() const override { return {.inputs = 0b011, .outputs = 0b110}; }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 8 * double(count(in[0].shape));
    return c;
  }
  std::vector<Attribute> attributes() const override { return {{"epsilon", epsilon}}; }
  double epsilon;
};

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon) {
  if (Tensors in{x, scale, shift}; widen(in))  // rounded once
    return layer_norm(in[0], in[1], in[2], epsilon).to(DType::bfloat16);
  const auto value_or = [&](const Tensor& parameter, double neutral) {
    return parameter.defined() ? parameter
                               : full({x.rank() > 0 ? x.size(-1) : 0}, neutral, x.dtype(), x.device());
  };
  return apply_op(std::make_shared<LayerNormOp>(epsilon), {x, value_or(scale, 1), value_or(shift, 0)})[0];
}

}  // namespace uncial
