#pragma once
/// @file layers.h
/// Layers with weights, dropout and flatten. Each is a small value: copying shares its parameters.

#include "uncial/nn/module.h"

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
  std::shared_ptr<Module> copy() const override;

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
/// Throws a usage Error for extents below 1 and for groups that do not divide `in` and `out`.
class Conv2d : public Module {
 public:
  Conv2d(int64_t in, int64_t out, Conv2dOptions options = {});
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "conv2d"; }
  std::vector<Attribute> attributes() const override;
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override;

  Tensor weight, bias;  ///< (out, in / groups, kernel, kernel), (out)

 private:
  int64_t in_, out_;
  Conv2dOptions options_;
};

/// Options of ConvTranspose2d.
struct ConvTranspose2dOptions {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t output_padding = 0;  ///< rows and columns added at the end; < stride
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  Initializer weight_init = {},
              bias_init = {};  ///< empty: U(-1/sqrt(n), 1/sqrt(n)), n = out / groups * kernel^2, as PyTorch
};

/// Transposed convolution of `in` to `out` channels: x (N, in, P, Q) -> (N, out, H, W). See
/// conv_transpose2d(). Throws a usage Error for extents below 1 and for groups that do not divide `in` and
/// `out`.
class ConvTranspose2d : public Module {
 public:
  ConvTranspose2d(int64_t in, int64_t out, ConvTranspose2dOptions options = {});
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "conv_transpose2d"; }
  std::vector<Attribute> attributes() const override;
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override;

  Tensor weight, bias;  ///< (in, out / groups, kernel, kernel), (out)

 private:
  int64_t in_, out_;
  ConvTranspose2dOptions options_;
};

/// In training zeroes elements with probability p and scales the rest by 1 / (1 - p); else the identity.
/// The Context decides the mask. Throws a usage Error unless 0 <= p < 1.
class Dropout : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x, Context& context) const override;
  std::string_view kind() const override { return "dropout"; }
  std::vector<Attribute> attributes() const override;
  std::shared_ptr<Module> copy() const override;

 private:
  double p_;
};

/// Joins the axes from `first_axis` on into one: (N, C, H, W) -> (N, C*H*W).
class Flatten : public Module {
 public:
  explicit Flatten(int64_t first_axis = 1) : first_axis_(first_axis) {}
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "flatten"; }
  std::vector<Attribute> attributes() const override;
  std::shared_ptr<Module> copy() const override;

 private:
  int64_t first_axis_;
};

}  // namespace uncial::nn
