#pragma once
/// @file norm.h
/// Normalisation layers. Parameters and buffers have PyTorch's names: weight scales, bias shifts.

#include "uncial/nn/module.h"

namespace uncial::nn {

/// Options of BatchNorm1d and BatchNorm2d; PyTorch's defaults.
struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< running = (1 - momentum) * running + momentum * batch
  bool affine = true;     ///< learn a scale and a shift for each channel
};

/// What BatchNorm1d and BatchNorm2d share. In training normalises each channel with the statistics of the
/// batch and asks the Context to update the running ones (mean, and variance divided by n - 1); in evaluation
/// uses those. Source: Ioffe & Szegedy, 2015.
class BatchNorm : public Module {
 public:
  Tensor forward(const Tensor& x, Context& context) const override;
  std::vector<Attribute> attributes() const override;
  void visit(Fields& fields) override;

  Tensor weight, bias;               ///< (features); undefined unless affine
  Tensor running_mean, running_var;  ///< (features); start 0 and 1

 protected:
  BatchNorm(int64_t features, BatchNormOptions options);
  /// Throws a usage Error unless x has a shape that this layer takes.
  virtual void check(const Shape& x) const = 0;

  int64_t features_;
  BatchNormOptions options_;
};

/// x (N, features) or (N, features, L).
class BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(int64_t features, BatchNormOptions options = {});
  std::string_view kind() const override { return "batch_norm1d"; }
  std::shared_ptr<Module> copy() const override;

 protected:
  void check(const Shape& x) const override;
};

/// x (N, features, H, W).
class BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(int64_t features, BatchNormOptions options = {});
  std::string_view kind() const override { return "batch_norm2d"; }
  std::shared_ptr<Module> copy() const override;

 protected:
  void check(const Shape& x) const override;
};

/// Options of LayerNorm.
struct LayerNormOptions {
  double epsilon = 1e-5;
  bool affine = true;  ///< learn a scale and a shift for each feature
};

/// Normalises over the last axis: x (..., features). Source: Ba et al., 2016.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(int64_t features, LayerNormOptions options = {});
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "layer_norm"; }
  std::vector<Attribute> attributes() const override;
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override;

  Tensor weight, bias;  ///< (features); undefined unless affine

 private:
  int64_t features_;
  LayerNormOptions options_;
};

}  // namespace uncial::nn
