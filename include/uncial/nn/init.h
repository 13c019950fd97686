#pragma once
/// @file init.h
/// Start values of parameters.

#include <functional>

#include "uncial/core/random.h"
#include "uncial/core/tensor.h"

namespace uncial::nn {

/// Fills a tensor; random ones draw from `generator`, which is keyed by (seed, parameter path).
using Initializer = std::function<void(const Tensor& tensor, Generator& generator)>;

/// Inputs and outputs that one output or input of a weight sees: (out, in) for dense, (K, C, R, S) for
/// convolutions.
struct Fans {
  int64_t in, out;
};
Fans fans_of(const Shape& weight);

namespace init {
Initializer constant(double value);
/// U(-bound, bound)
Initializer uniform(double bound);
/// N(0, deviation^2)
Initializer normal(double deviation);
/// U(-1/sqrt(fan_in), 1/sqrt(fan_in)): what PyTorch's nn.Linear and nn.Conv2d use.
Initializer fan_in_uniform(int64_t fan_in);
/// Variance 2 / fan_in, for ReLU. Source: He et al., 2015.
Initializer he_uniform();
Initializer he_normal();
/// Variance 2 / (fan_in + fan_out). Source: Glorot & Bengio, 2010.
Initializer glorot_uniform();
Initializer glorot_normal();
/// Variance 1 / fan_in. Source: LeCun et al., 1998.
Initializer lecun_uniform();
Initializer lecun_normal();
/// Rows or columns orthonormal times `gain`. Source: Saxe et al., 2014.
Initializer orthogonal(double gain = 1);
}  // namespace init

}  // namespace uncial::nn
