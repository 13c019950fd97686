#include "support/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/elementwise.h"

namespace uncial::test {
namespace {

bool moves(const Tensor& x) { return x.dtype() == DType::float64; }

/// Values below 1e-3 are compared absolutely: there the differences' own rounding would be measured.
double relative_gap(double analytic, double numeric) {
  if (!std::isfinite(analytic) || !std::isfinite(numeric)) return INFINITY;
  return std::abs(analytic - numeric) / std::max({std::abs(analytic), std::abs(numeric), 1e-3});
}

/// Of two tensors, by element.
double largest_gap(const Tensor& a, const Tensor& b) {
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  const double *px = x.data<double>(), *py = y.data<double>();
  double worst = 0;
  for (int64_t i = 0, count = x.size(); i < count; ++i) worst = std::max(worst, relative_gap(px[i], py[i]));
  return worst;
}

}  // namespace

double dot(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "dot: shapes ", a.shape(), " and ", b.shape(), ".");
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  const double *px = x.data<double>(), *py = y.data<double>();
  double sum = 0;
  for (int64_t i = 0, count = x.size(); i < count; ++i) sum += px[i] * py[i];
  return sum;
}

Tensor moved(const Tensor& x, double step, const Tensor& v) {
  const Tensor y = x.detach().clone();
  const double* pv = v.data<double>();
  double* py = y.data<double>();
  for (int64_t i = 0, count = y.size(); i < count; ++i) py[i] += step * pv[i];
  return y;
}

double gradient_gap(const Function& f, const Tensors& x, GapOptions o) {
  // Far from the seeds of inputs: were w equal to x, a normalisation's gradient would vanish.
  o.seed += 1'000'000;
  Tensors v(x.size()), leaves = x;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!moves(x[i])) continue;
    v[i] = randn(x[i].shape(), o.seed + 10 * i + 1, DType::float64);
    leaves[i] = parameter(x[i]);
  }
  const Tensor y = f(leaves);
  const Tensor w = randn(y.shape(), o.seed, DType::float64);
  if (y.requires_grad()) y.backward(w);
  double analytic = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (moves(x[i]) && leaves[i].grad().defined()) analytic += dot(leaves[i].grad(), v[i]);
  const auto loss = [&](double step) {
    Tensors at = x;
    for (size_t i = 0; i < x.size(); ++i)
      if (moves(x[i])) at[i] = moved(x[i], step, v[i]);
    return dot(w, f(at));
  };
  return relative_gap(analytic, (loss(o.h) - loss(-o.h)) / (2 * o.h));
}

double second_gradient_gap(const Function& f, const Tensors& x, GapOptions o) {
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!moves(x[i])) continue;
    const auto gradient = [&](const Tensors& at, bool create_graph) {
      Tensors inputs = at;
      if (!inputs[i].requires_grad()) inputs[i] = parameter(inputs[i]);
      const Tensor fx = f(inputs);
      const Tensor y = fx * fx + fx;  // so that dy depends on x as well: gradient rules are functions of both
      return gradients(y, {inputs[i]}, randn(y.shape(), o.seed + 100, DType::float64),
                       {.create_graph = create_graph})[0];
    };
    // A rule of its own for whoever differentiates again: it must be that of a plain backward pass.
    worst = std::max(worst, largest_gap(gradient(x, true), gradient(x, false)));
    worst = std::max(worst, gradient_gap([&](const Tensors& at) { return gradient(at, true); }, x, o));
  }
  return worst;
}

}  // namespace uncial::test
