#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"
#include "uncial/optim/optimizer.h"

namespace uncial::optim {

Tensor clip_grad_norm(const Tensors& parameters, double max_norm, const Tensor& unscale) {
  require(max_norm > 0, "clip_grad_norm: max_norm must be > 0, got ", max_norm, ".");
  const NoGrad no_grad;
  Tensor squares;
  for (const Tensor& p : parameters) {
    if (!p.grad().defined()) continue;
    const Tensor s = sum(square(p.grad())).to(DType::float64);
    squares = squares.defined() ? squares + s : s;
  }
  if (!squares.defined()) return zeros({}, DType::float64);
  const Tensor scaled = sqrt(squares);
  const Tensor norm = unscale.defined() ? scaled * unscale.to(DType::float64) : scaled;
  // 1e-6 as in PyTorch: no division by zero, and rounding cannot lift the clipped norm above max_norm.
  const Tensor factor = clip(max_norm / (norm + 1e-6), 0, 1);
  for (const Tensor& p : parameters)
    if (const Tensor g = p.grad(); g.defined()) p.set_grad(g * factor.to(g.dtype()));
  return norm;
}

void clip_grad_value(const Tensors& parameters, double limit) {
  require(limit > 0, "clip_grad_value: limit must be > 0, got ", limit, ".");
  const NoGrad no_grad;
  for (const Tensor& p : parameters)
    if (const Tensor g = p.grad(); g.defined()) p.set_grad(clip(g, -limit, limit));
}

}  // namespace uncial::optim
