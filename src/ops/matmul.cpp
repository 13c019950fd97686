#include "uncial/ops/matmul.h"

#include "bfloat16.h"
#include "precision.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/gemm.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// A product whose factors are at `precision` already.
struct ProductOp : Op {
  explicit ProductOp(Precision of_factors) : precision(of_factors) {}
  std::vector<Attribute> attributes() const override { return {attribute_of(precision)}; }
  Tensor rounded_dy(const Backward& b) const { return as_factor(b.dy(), precision, name()); }
  Precision precision;
};

/// (M, K) x (K, N) or (B, M, K) x (B, K, N); all broadcasting is done before.
struct MatmulOp : ProductOp {
  using ProductOp::ProductOp;
  std::string_view name() const override { return "matmul"; }
  bool takes_strides() const override { return true; }

  Specs infer(std::span<const Spec> in) const override {
    Shape shape = in[0].shape;
    shape[shape.rank() - 1] = in[1].shape.back();
    return {{in[0].dtype, shape, in[0].device}};
  }

  void run(const Call& call) const override {
    const View &a = call.in[0], &b = call.in[1], &c = call.out[0];
    const int r = a.shape.rank();
    dispatch(floats, c.dtype, name(), [&]<class T>() {
      kernels::gemm<T>(call.device(), Gemm<T>{.batch = r == 3 ? a.shape[0] : 1,
                                              .M = a.shape[r - 2],
                                              .N = b.shape[r - 1],
                                              .K = a.shape[r - 1],
                                              .a = a.as<const T>(),
                                              .a_batch = r == 3 ? a.strides[0] : 0,
                                              .a_row = a.strides[r - 2],
                                              .a_col = a.strides[r - 1],
                                              .b = b.as<const T>(),
                                              .b_batch = r == 3 ? b.strides[0] : 0,
                                              .b_row = b.strides[r - 2],
                                              .b_col = b.strides[r - 1],
                                              .c = c.as<T>(),
                                              .bias = nullptr,
                                              .few_bits = few_bits(precision)});
    });
  }

  Tensors gradient(const Backward& b) const override {
    const Tensor dy = rounded_dy(b);
    return {b.needs(0) ? op<MatmulOp>({dy, transpose(b.in(1))}, precision) : Tensor(),
            b.needs(1) ? op<MatmulOp>({transpose(b.in(0)), dy}, precision) : Tensor()};
  }

  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 2.0 * double(count(out[0].shape)) * double(in[0].shape.back());
    return c;
  }
};

/// x (N, in), weight (out, in), bias (out) -> (N, out); the bias is added where the product is stored.
struct LinearOp : ProductOp {
  using ProductOp::ProductOp;
  std::string_view name() const override { return "linear"; }
  bool takes_strides() const override { return true; }

  Specs infer(std::span<const Spec> in) const override {
    return {{in[0].dtype, {in[0].shape[0], in[1].shape[0]}, in[0].device}};
  }

  void run(const Call& call) const override {
    const View &x = call.in[0], &w = call.in[1];
    dispatch(floats, x.dtype, name(), [&]<class T>() {
      kernels::gemm<T>(call.device(), Gemm<T>{.batch = 1,
                                              .M = x.shape[0],
                                              .N = w.shape[0],
                                              .K = x.shape[1],
                                              .a = x.as<const T>(),
                                              .a_batch = 0,
                                              .a_row = x.strides[0],
                                              .a_col = x.strides[1],
                                              .b = w.as<const T>(),
                                              .b_batch = 0,
                                              .b_row = w.strides[1],
                                              .b_col = w.strides[0],
                                              .c = call.out[0].as<T>(),
                                              .bias = call.in[2].as<const T>(),
                                              .few_bits = few_bits(precision)});
    });
  }

  Tensors gradient(const Backward& b) const override {
    const Tensor dy = rounded_dy(b);
    return {b.needs(0) ? op<MatmulOp>({dy, b.in(1)}, precision) : Tensor(),
            b.needs(1) ? op<MatmulOp>({transpose(dy), b.in(0)}, precision) : Tensor(),
            b.needs(2) ? sum(dy, 0) : Tensor()};
  }
  Saves saves() const override { return {.inputs = 0b011}; }

  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 2.0 * double(count(out[0].shape)) * double(in[0].shape[1]);
    return c;
  }
};

/// The leading axes of x, without the last `tail`.
Shape leading(const Shape& x, int tail) {
  Shape s;
  for (int i = 0; i + tail < x.rank(); ++i) s.push_back(x[i]);
  return s;
}

Shape with(Shape s, std::initializer_list<int64_t> tail) {
  for (int64_t extent : tail) s.push_back(extent);
  return s;
}

/// matmul() of factors that are rounded already.
Tensor product(const Tensor& a, const Tensor& b, Precision precision) {
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row || column) {
    const Tensor y = product(row ? a.unsqueeze(0) : a, column ? b.unsqueeze(1) : b, precision);
    const Tensor without_row = row ? y.squeeze(column ? -2 : y.rank() - 2) : y;
    return column ? without_row.squeeze(-1) : without_row;
  }
  require(a.shape().back() == b.shape()[b.rank() - 2], "matmul: a", a.shape(), " has ", a.shape().back(),
          " columns and b", b.shape(), " has ", b.shape()[b.rank() - 2], " rows; they must be equal",
          a.shape().back() == b.shape().back() ? "; did you mean b.transpose()?" : ".");
  if (a.rank() == 2 && b.rank() == 2) return op<MatmulOp>({a, b}, precision);
  const int64_t M = a.shape()[a.rank() - 2], K = a.shape().back(), N = b.shape().back();
  if (b.rank() == 2)  // one matrix for all: a single tall product
    return op<MatmulOp>({a.reshape({count(leading(a.shape(), 1)), K}), b}, precision)
        .reshape(with(leading(a.shape(), 1), {N}));
  const Shape batch = broadcast_shape(leading(a.shape(), 2), leading(b.shape(), 2), "matmul");
  const int64_t B = count(batch);
  return op<MatmulOp>({a.expand(with(batch, {M, K})).reshape({B, M, K}),
                       b.expand(with(batch, {K, N})).reshape({B, K, N})},
                      precision)
      .reshape(with(batch, {M, N}));
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, Precision precision) {
  require(a.rank() >= 1 && b.rank() >= 1, "matmul: operands must not be scalars, got ", a.shape(), " and ",
          b.shape(), "; use a * b.");
  require(a.dtype() == b.dtype(), "matmul: operands are ", a.dtype(), " and ", b.dtype(),
          "; convert one with to().");
  if (is_bfloat16(a))
    return matmul(a.to(DType::float32), b.to(DType::float32), precision).to(DType::bfloat16);
  return product(as_factor(a, precision, "matmul"), as_factor(b, precision, "matmul"), precision);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Precision precision) {
  require(weight.rank() == 2, "linear: weight must be (out, in), got ", weight.shape(), ".");
  require(x.rank() >= 1 && x.shape().back() == weight.shape()[1], "linear: x", x.shape(), " must have ",
          weight.shape()[1], " values along its last axis to meet weight", weight.shape(), ".");
  require(x.dtype() == weight.dtype(), "linear: x is ", x.dtype(), " and weight ", weight.dtype(),
          "; convert one with to().");
  if (!bias.defined() && is_bfloat16(x)) return matmul(x, transpose(weight), precision);
  if (!bias.defined())
    return product(as_factor(x, precision, "linear"), transpose(as_factor(weight, precision, "linear")),
                   precision);
  require(bias.rank() == 1 && bias.size() == weight.shape()[0] && bias.dtype() == weight.dtype(),
          "linear: bias must be ", weight.dtype(), "(", weight.shape()[0], "), got ", bias.dtype(),
          bias.shape(), ".");
  if (is_bfloat16(x))
    return linear(x.to(DType::float32), weight.to(DType::float32), bias.to(DType::float32), precision)
        .to(DType::bfloat16);
  const Tensor dense_bias = bias.contiguous();  // the product's epilogue reads it without strides
  const Tensor w = as_factor(weight, precision, "linear"), rounded = as_factor(x, precision, "linear");
  if (x.rank() == 2) return op<LinearOp>({rounded, w, dense_bias}, precision);
  const int64_t in = weight.shape()[1], rows = count(leading(x.shape(), 1));
  return op<LinearOp>({rounded.reshape({rows, in}), w, dense_bias}, precision)
      .reshape(with(leading(x.shape(), 1), {weight.shape()[0]}));
}

}  // namespace uncial
