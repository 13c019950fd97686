#pragma once
/// @file grad_mode.h
/// Switching the tape off, and gradients without touching grad().

#include "uncial/core/tensor.h"

namespace uncial {

/// True when operators on this thread append to the tape.
bool grad_enabled();

/// While alive, this thread appends nothing to the tape.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

/// x as a leaf that wants a gradient, on memory of its own when x already belongs to the tape.
Tensor parameter(const Tensor& x);

/// Options of gradients().
struct GradientOptions {
  bool retain_graph = false;
  bool create_graph = false;  ///< the result can be differentiated again (batch_norm() alone refuses)
};

/// d(sum of `y` weighted by `dy`)/dx for each x, without touching anybody's grad(); undefined where y does
/// not depend on x. `dy` may be undefined for a scalar y.
Tensors gradients(const Tensor& y, const Tensors& xs, const Tensor& dy = {}, GradientOptions options = {});

}  // namespace uncial
