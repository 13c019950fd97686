#pragma once
/// @file layers.h
/// The layers. Each is a small value: copying shares its parameters.

#include <optional>

#include "uncial/nn/module.h"
#include "uncial/ops/conv.h"
#include "uncial/ops/pool.h"

namespace uncial::nn {

/// Options of Dense. An empty initialiser means U(-1/sqrt(in), 1/sqrt(in)), PyTorch's start.
struct DenseOptions {
  bool bias = true;
  Initializer weight_init = {}, bias_init = {};
};

/// Fully connected layer: y = x W^T + b, with W (out, in) and b (out).
///
/// x      (..., in), any float dtype
/// returns (..., out), same dtype and device as x
/// Throws  uncial::Error when x's last extent is not `in`.
class Dense : public Module {
 public:
  Dense(int64_t in, int64_t out, DenseOptions options = {});
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "dense"; }
  std::vector<Attribute> attributes() const override;
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override { return std::make_shared<Dense>(*this); }

  Tensor weight, bias;

 private:
  int64_t in_, out_;
  DenseOptions options_;
};

/// Options of Conv2d.
struct Conv2dOptions {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  Initializer weight_init = {},
              bias_init = {};  ///< empty: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's start
};

/// Convolution of `in` to `out` channels: x (N, in, H, W) -> (N, out, P, Q). See conv2d().
class Conv2d : public Module {
 public:
  Conv2d(int64_t in, int64_t out, Conv2dOptions options = {});
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "conv2d"; }
  std::vector<Attribute> attributes() const override;
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override { return std::make_shared<Conv2d>(*this); }

  Tensor weight, bias;

 private:
  int64_t in_, out_;
  Conv2dOptions options_;
};

}  // namespace uncial::nn
