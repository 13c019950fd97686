#include "uncial/ops/conv.h"

#include "precision.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/conv.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

void check_options(const char* what, int64_t stride, int64_t padding, int64_t dilation, int64_t groups) {
  constexpr int64_t kLargest = int64_t(1) << 31;  // keeps the shape rules far from overflow
  require(stride <= kLargest && padding <= kLargest && dilation <= kLargest, what,
          ": stride, padding and dilation must be at most ", kLargest, ", got ", stride, ", ", padding,
          " and ", dilation, ".");
  require(stride >= 1 && padding >= 0 && dilation >= 1 && groups >= 1, what,
          ": needs stride, dilation and groups >= 1 and padding >= 0, got ", stride, ", ", dilation, ", ",
          groups, " and ", padding, ".");
}

/// x (N, C, H, W), w (K, C/groups, R, S) -> y (N, K, P, Q)
ConvExtents extents(const Shape& x, const Shape& w, ConvOptions o) {
  ConvExtents e{.N = x[0],
                .C = x[1],
                .H = x[2],
                .W = x[3],
                .K = w[0],
                .R = w[2],
                .S = w[3],
                .P = 0,
                .Q = 0,
                .stride = o.stride,
                .padding = o.padding,
                .dilation = o.dilation,
                .groups = o.groups,
                .few_bits = few_bits(o.precision)};
  e.P = (e.H + 2 * e.padding - e.dilation * (e.R - 1) - 1) / e.stride + 1;
  e.Q = (e.W + 2 * e.padding - e.dilation * (e.S - 1) - 1) / e.stride + 1;
  return e;
}

std::vector<Attribute> attributes_of(const ConvOptions& o) {
  return {{"stride", o.stride},
          {"padding", o.padding},
          {"dilation", o.dilation},
          {"groups", o.groups},
          attribute_of(o.precision)};
}

double conv_flops(const Shape& y, const Shape& w) {
  return 2.0 * double(count(y)) * double(w[1] * w[2] * w[3]);
}

/// The bias gradient: the sum of dy over everything but channels.
Tensor channel_sum(const Tensor& dy) { return sum(sum(flatten(dy, 2), 2), 0); }

/// Its inputs but the bias are factors at o.precision already.
struct ConvBase : Op {
  explicit ConvBase(ConvOptions options) : o(options) {}
  std::vector<Attribute> attributes() const override { return attributes_of(o); }
  Tensor rounded_dy(const Backward& b) const { return as_factor(b.dy(), o.precision, name()); }
  ConvOptions o;
};

struct ConvOp : ConvBase {
  using ConvBase::ConvBase;
  std::string_view name() const override { return "conv2d"; }
  Specs infer(std::span<const Spec> in) const override;
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::conv2d<T>(c.device(), extents(c.in[0].shape, c.in[1].shape, o), c.in[0].as<const T>(),
                         c.in[1].as<const T>(), c.in.size() > 2 ? c.in[2].as<const T>() : nullptr,
                         c.out[0].as<T>());
    });
  }
  Tensors gradient(const Backward& b) const override;
  Saves saves() const override { return {.inputs = 0b011}; }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = conv_flops(out[0].shape, in[1].shape);
    return c;
  }
};

/// dy (N, K, P, Q), w (K, C/groups, R, S), bias (C) if any -> dx (N, C, H, W)
struct ConvInputGradientOp : ConvBase {
  ConvInputGradientOp(ConvOptions options, int64_t height, int64_t width, const char* label)
      : ConvBase(options), H(height), W(width), label_(label) {}
  std::string_view name() const override { return label_; }
  Specs infer(std::span<const Spec> in) const override {
    return {{in[0].dtype, {in[0].shape[0], in[1].shape[1] * o.groups, H, W}, in[0].device}};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::conv2d_input_gradient<T>(c.device(), extents(c.out[0].shape, c.in[1].shape, o),
                                        c.in[0].as<const T>(), c.in[1].as<const T>(),
                                        c.in.size() > 2 ? c.in[2].as<const T>() : nullptr, c.out[0].as<T>());
    });
  }
  Tensors gradient(const Backward& b) const override;
  Saves saves() const override { return {.inputs = 0b011}; }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = conv_flops(in[0].shape, in[1].shape);
    return c;
  }
  int64_t H, W;
  const char* label_;
};

/// x (N, C, H, W), dy (N, K, P, Q) -> dw (K, C/groups, R, S)
struct ConvWeightGradientOp : ConvBase {
  ConvWeightGradientOp(ConvOptions options, int64_t rows, int64_t cols)
      : ConvBase(options), R(rows), S(cols) {}
  std::string_view name() const override { return "conv2d_weight_gradient"; }
  Specs infer(std::span<const Spec> in) const override {
    return {{in[0].dtype, {in[1].shape[1], in[0].shape[1] / o.groups, R, S}, in[0].device}};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::conv2d_weight_gradient<T>(c.device(), extents(c.in[0].shape, c.out[0].shape, o),
                                         c.in[0].as<const T>(), c.in[1].as<const T>(), c.out[0].as<T>());
    });
  }
  Tensors gradient(const Backward& b) const override {
    // dw is bilinear in (x, dy): its gradients are the other two convolutions with d(dw) as weights.
    const Shape& x = b.spec(0).shape;
    const Tensor dy = rounded_dy(b);
    return {b.needs(0) ? op<ConvInputGradientOp>({b.in(1), dy}, o, x[2], x[3], "conv2d_input_gradient")
                       : Tensor(),
            b.needs(1) ? op<ConvOp>({b.in(0), dy}, o) : Tensor()};
  }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = conv_flops(in[1].shape, out[0].shape);
    return c;
  }
  int64_t R, S;
};

Specs ConvOp::infer(std::span<const Spec> in) const {
  const Shape &x = in[0].shape, &w = in[1].shape;
  check_options("conv2d", o.stride, o.padding, o.dilation, o.groups);
  require(x.rank() == 4, "conv2d: x must be (N, C, H, W), got ", x,
          x.rank() == 3 ? "; for a single image pass x.unsqueeze(0)." : ".");
  require(w.rank() == 4 && w[2] >= 1 && w[3] >= 1,
          "conv2d: w must be (K, C/groups, R, S) with R, S >= 1, got ", w, ".");
  require(in[0].dtype == in[1].dtype, "conv2d: x is ", in[0].dtype, " and w ", in[1].dtype,
          "; convert one with to().");
  require(x[1] == w[1] * o.groups, "conv2d: w", w, " with ", o.groups, " group(s) reads ", w[1] * o.groups,
          " channels, x", x, " has ", x[1], ".");
  require(w[0] % o.groups == 0, "conv2d: ", w[0], " filters do not divide into ", o.groups, " groups.");
  require(in.size() < 3 || (in[2].shape == Shape{w[0]} && in[2].dtype == in[0].dtype),
          "conv2d: bias must be ", in[0].dtype, "(", w[0], "), got ", in.back().dtype, in.back().shape, ".");
  const int64_t height = x[2] + 2 * o.padding - o.dilation * (w[2] - 1) - 1;
  const int64_t width = x[3] + 2 * o.padding - o.dilation * (w[3] - 1) - 1;
  require(height >= 0 && width >= 0, "conv2d: filter w", w, " with dilation ", o.dilation,
          " is larger than x", x, " padded by ", o.padding,
          "; use padding >= ", o.padding + (1 - std::min(height, width)) / 2, ".");
  const ConvExtents e = extents(x, w, o);
  return {{in[0].dtype, {e.N, e.K, e.P, e.Q}, in[0].device}};
}

Tensors ConvOp::gradient(const Backward& b) const {
  const Shape &x = b.spec(0).shape, &w = b.spec(1).shape;
  const Tensor dy = rounded_dy(b);
  Tensors dx{
      b.needs(0) ? op<ConvInputGradientOp>({dy, b.in(1)}, o, x[2], x[3], "conv2d_input_gradient") : Tensor(),
      b.needs(1) ? op<ConvWeightGradientOp>({b.in(0), dy}, o, w[2], w[3]) : Tensor()};
  if (b.inputs() > 2) dx.push_back(b.needs(2) ? channel_sum(dy) : Tensor());
  return dx;
}

Tensors ConvInputGradientOp::gradient(const Backward& b) const {
  const Shape& w = b.spec(1).shape;
  const Tensor dy = rounded_dy(b);
  Tensors dx{b.needs(0) ? op<ConvOp>({dy, b.in(1)}, o) : Tensor(),
             b.needs(1) ? op<ConvWeightGradientOp>({dy, b.in(0)}, o, w[2], w[3]) : Tensor()};
  if (b.inputs() > 2) dx.push_back(b.needs(2) ? channel_sum(dy) : Tensor());
  return dx;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, ConvOptions options) {
  Tensors in{as_factor(x, options.precision, "conv2d"), as_factor(w, options.precision, "conv2d")};
  if (bias.defined()) in.push_back(bias);
  return op<ConvOp>(std::move(in), options);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias, ConvTransposeOptions o) {
  check_options("conv_transpose2d", o.stride, o.padding, o.dilation, o.groups);
  require(x.rank() == 4, "conv_transpose2d: x must be (N, K, P, Q), got ", x.shape(),
          x.rank() == 3 ? "; for a single image pass x.unsqueeze(0)." : ".");
  require(w.rank() == 4 && w.shape()[2] >= 1 && w.shape()[3] >= 1 && w.shape()[0] == x.shape()[1],
          "conv_transpose2d: w must be (", x.shape()[1], ", C/groups, R, S) to read the channels of x",
          x.shape(), ", got ", w.shape(), ".");
  require(x.dtype() == w.dtype(), "conv_transpose2d: x is ", x.dtype(), " and w ", w.dtype(),
          "; convert one with to().");
  require(w.shape()[0] % o.groups == 0, "conv_transpose2d: ", w.shape()[0], " channels do not divide into ",
          o.groups, " groups.");
  require(o.output_padding >= 0 && o.output_padding < o.stride,
          "conv_transpose2d: output_padding must be in [0, stride ", o.stride, "), got ", o.output_padding,
          ".");
  const auto side = [&](int64_t in, int64_t taps) {
    return (in - 1) * o.stride - 2 * o.padding + o.dilation * (taps - 1) + o.output_padding + 1;
  };
  const int64_t H = side(x.shape()[2], w.shape()[2]), W = side(x.shape()[3], w.shape()[3]);
  require(H >= 1 && W >= 1, "conv_transpose2d: the result of x", x.shape(), " and w", w.shape(), " would be ",
          H, " x ", W, "; use less padding than ", o.padding, ".");
  const int64_t C = w.shape()[1] * o.groups;
  require(!bias.defined() || (bias.shape() == Shape{C} && bias.dtype() == x.dtype()),
          "conv_transpose2d: bias must be ", x.dtype(), "(", C, "), got ",
          bias.defined() ? bias.shape() : Shape(), ".");
  const ConvOptions conv{.stride = o.stride,
                         .padding = o.padding,
                         .dilation = o.dilation,
                         .groups = o.groups,
                         .precision = o.precision};
  Tensors in{as_factor(x, o.precision, "conv_transpose2d"), as_factor(w, o.precision, "conv_transpose2d")};
  if (bias.defined()) in.push_back(bias);
  return op<ConvInputGradientOp>(std::move(in), conv, H, W, "conv_transpose2d");
}

}  // namespace uncial
