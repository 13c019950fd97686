#include "uncial/ops/matmul.h"

#include "bfloat16.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/gemm.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// (M, K) x (K, N) or (B, M, K) x (B, K, N); all broadcasting is done before.
struct MatmulOp : Op {
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
                                              .bias = nullptr});
    });
  }

  Tensors gradient(const Backward& b) const override {
    return {b.needs(0) ? op<MatmulOp>({b.dy(), transpose(b.in(1))}) : Tensor(),
            b.needs(1) ? op<MatmulOp>({transpose(b.in(0)), b.dy()}) : Tensor()};
  }

  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 2.0 * double(count(out[0].shape)) * double(in[0].shape.back());
    return c;
  }
};

/// x (N, in), weight (out, in), bias (out) -> (N, out); the bias is added where the product is stored.
struct LinearOp : Op {
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
                                              .bias = call.in[2].as<const T>()});
    });
  }

  Tensors gradient(const Backward& b) const override {
    return {b.needs(0) ? op<MatmulOp>({b.dy(), b.in(1)}) : Tensor(),
            b.needs(1) ? op<MatmulOp>({transpose(b.dy()), b.in(0)}) : Tensor(),
            b.needs(2) ? sum(b.dy(), 0) : Tensor()};
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

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  require(a.rank() >= 1 && b.rank() >= 1, "matmul: operands must not be scalars, got ", a.shape(), " and ",
          b.shape(), "; use a * b.");
  require(a.dtype() == b.dtype(), "matmul: operands are ", a.dtype(), " and ", b.dtype(),
          "; convert one with to().");
  if (is_bfloat16(a)) return matmul(a.to(DType::float32), b.to(DType::float32)).to(DType::bfloat16);
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row || column) {
    const Tensor y = matmul(row ? a.unsqueeze(0) : a, column ? b.unsqueeze(1) : b);
    const Tensor without_row = row ? y.squeeze(column ? -2 : y.rank() - 2) : y;
    return column ? without_row.squeeze(-1) : without_row;
  }
  require(a.shape().back() == b.shape()[b.rank() - 2], "matmul: a", a.shape(), " has ", a.shape().back(),
          " columns and b", b.shape(), " has ", b.shape()[b.rank() - 2], " rows; they must be equal",
          a.shape().back() == b.shape().back() ? "; did you mean b.transpose()?" : ".");
  if (a.rank() == 2 && b.rank() == 2) return op<MatmulOp>({a, b});
  const int64_t M = a.shape()[a.rank() - 2], K = a.shape().back(), N = b.shape().back();
  if (b.rank() == 2)  // one matrix for all: a single tall product
    return op<MatmulOp>({a.reshape({count(leading(a.shape(), 1)), K}), b})
        .reshape(with(leading(a.shape(), 1), {N}));
  const Shape batch = broadcast_shape(leading(a.shape(), 2), leading(b.shape(), 2), "matmul");
  const int64_t B = count(batch);
  return op<MatmulOp>({a.expand(with(batch, {M, K})).reshape({B, M, K}),
                       b.expand(with(batch, {K, N})).reshape({B, K, N})})
      .reshape(with(batch, {M, N}));
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require(weight.rank() == 2, "linear: weight must be (out, in), got ", weight.shape(), ".");
  require(x.rank() >= 1 && x.shape().back() == weight.shape()[1], "linear: x", x.shape(), " must have ",
          weight.shape()[1], " values along its last axis to meet weight", weight.shape(), ".");
  require(x.dtype() == weight.dtype(), "linear: x is ", x.dtype(), " and weight ", weight.dtype(),
          "; convert one with to().");
  if (!bias.defined()) return matmul(x, transpose(weight));
  require(bias.rank() == 1 && bias.size() == weight.shape()[0] && bias.dtype() == weight.dtype(),
          "linear: bias must be ", weight.dtype(), "(", weight.shape()[0], "), got ", bias.dtype(),
          bias.shape(), ".");
  if (is_bfloat16(x))
    return linear(x.to(DType::float32), weight.to(DType::float32), bias.to(DType::float32))
        .to(DType::bfloat16);
  const Tensor dense_bias = bias.contiguous();  // the product's epilogue reads it without strides
  if (x.rank() == 2) return op<LinearOp>({x, weight, dense_bias});
  const int64_t in = weight.shape()[1], rows = count(leading(x.shape(), 1));
  return op<LinearOp>({x.reshape({rows, in}), weight, dense_bias})
      .reshape(with(leading(x.shape(), 1), {weight.shape()[0]}));
}

}  // namespace uncial
