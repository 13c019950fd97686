#pragma once
/// @file pooling.h
/// Pooling layers.

#include "uncial/nn/module.h"
#include "uncial/ops/pool.h"

namespace uncial::nn {

/// What MaxPool2d and AvgPool2d share. Throws a usage Error unless kernel >= 1, stride >= 0 (0: as kernel)
/// and 0 <= padding <= kernel / 2.
class Pool2d : public Module {
 public:
  std::vector<Attribute> attributes() const override;

 protected:
  explicit Pool2d(PoolOptions options);
  PoolOptions options_;
};

/// Largest value of each window: x (N, C, H, W) -> (N, C, P, Q). See max_pool2d().
class MaxPool2d : public Pool2d {
 public:
  explicit MaxPool2d(int64_t kernel) : Pool2d({.kernel = kernel}) {}
  explicit MaxPool2d(PoolOptions options = {}) : Pool2d(options) {}
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "max_pool2d"; }
  std::shared_ptr<Module> copy() const override;
};

/// Mean of each window: x (N, C, H, W) -> (N, C, P, Q). See avg_pool2d().
class AvgPool2d : public Pool2d {
 public:
  explicit AvgPool2d(int64_t kernel) : Pool2d({.kernel = kernel}) {}
  explicit AvgPool2d(PoolOptions options = {}) : Pool2d(options) {}
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "avg_pool2d"; }
  std::shared_ptr<Module> copy() const override;
};

/// Mean of each channel: x (N, C, H, W) -> (N, C, 1, 1).
class GlobalAvgPool2d : public Module {
 public:
  Tensor forward(const Tensor& x, Context&) const override;
  std::string_view kind() const override { return "global_avg_pool2d"; }
  std::shared_ptr<Module> copy() const override;
};

}  // namespace uncial::nn
