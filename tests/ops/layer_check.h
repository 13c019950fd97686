#pragma once
/// One declaration checks a layer every way: values against a slow reference, gradients against central
/// differences of that reference, float32 on every instruction set of this machine, strided inputs, and equal
/// bits for 1, 2 and 3 threads.

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "support/catch.h"
#include "support/gradcheck.h"
#include "support/isas.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/core/tensor.h"

namespace uncial::test {

using Layer = std::function<Tensor(const Tensors&)>;

struct LayerCheck {
  Layer layer;               ///< what is tested
  Layer reference;           ///< the same formula, slow; gets row-major float64 inputs
  Tensors inputs;            ///< float64 ones are differentiated; others are handed on
  double tolerance = 1e-12;  ///< of float64 values, relative to the largest one
  double gradient_tolerance = 1e-6;
  double float_tolerance = 2e-5;  ///< of float32 values and gradients
};

namespace detail {

inline Tensors converted(const Tensors& inputs, DType dtype) {
  Tensors out;
  for (const Tensor& x : inputs) out.push_back(is_floating(x.dtype()) ? x.to(dtype) : x);
  return out;
}

/// Largest |a - b|, relative to the largest |b| (at least 1). Infinite when shapes differ or one alone is
/// NaN.
inline double gap(const Tensor& a, const Tensor& b) {
  if (!a.defined() || a.shape() != b.shape()) return HUGE_VAL;
  const Tensor x = a.detach().contiguous().to(DType::float64), y = b.detach().contiguous().to(DType::float64);
  double largest = 1, worst = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    const double u = x.data<double>()[i], v = y.data<double>()[i];
    if (u == v || (std::isnan(u) && std::isnan(v))) continue;
    if (!std::isfinite(u) || !std::isfinite(v)) return HUGE_VAL;
    largest = std::max(largest, std::abs(v));
    worst = std::max(worst, std::abs(u - v));
  }
  return worst / largest;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  return x.shape() == y.shape() && x.dtype() == y.dtype() &&
         (x.size() == 0 || std::memcmp(x.view().data, y.view().data, size_t(x.bytes())) == 0);
}

/// The result and the gradients of all float inputs, for the weights `dy` of the result.
inline Tensors run(const Layer& layer, const Tensors& inputs, const Tensor& dy) {
  Tensors leaves, results;
  for (const Tensor& x : inputs) leaves.push_back(is_floating(x.dtype()) ? parameter(x) : x);
  const Tensor y = layer(leaves);
  y.backward(dy);
  results.push_back(y.detach());
  for (const Tensor& leaf : leaves)
    if (is_floating(leaf.dtype())) results.push_back(leaf.grad());
  return results;
}

/// The same elements, laid out so that no two neighbours are neighbours in memory.
inline Tensor strided(const Tensor& x) {
  if (x.rank() == 0) return x;
  return x.rank() == 1 ? x.unsqueeze(1).expand({x.size(0), 2}).clone().select(1, 1)
                       : x.transpose(0, -1).clone().transpose(0, -1);
}

/// (L(x + h v) - L(x - h v)) / 2h along v for input i, L = <dy, reference>.
inline double slope(const LayerCheck& check, size_t i, const Tensor& v, const Tensor& dy) {
  constexpr double h = 1e-5;
  const auto loss = [&](double step) {
    Tensors at = check.inputs;
    at[i] = moved(at[i], step, v);
    return dot(dy, check.reference(at));
  };
  return (loss(h) - loss(-h)) / (2 * h);
}

}  // namespace detail

inline void check_layer(const LayerCheck& check) {
  using namespace detail;
  const Tensor expected = check.reference(check.inputs);
  const Tensor dy = randn(expected.shape(), 77, DType::float64);
  const Tensors exact = run(check.layer, check.inputs, dy);
  CHECK(gap(exact[0], expected) <= check.tolerance);

  for (size_t i = 0, gradient = 1; i < check.inputs.size(); ++i) {
    if (!is_floating(check.inputs[i].dtype())) continue;
    const Tensor dx = exact[gradient++];
    INFO("gradient of input " << i);
    REQUIRE(dx.defined());
    REQUIRE(dx.shape() == check.inputs[i].shape());
    const Tensor v = randn(dx.shape(), 78 + i, DType::float64);
    const double analytic = dot(dx, v), numeric = slope(check, i, v, dy);
    INFO("analytic " << analytic << ", numeric " << numeric);
    CHECK(std::abs(analytic - numeric) <=
          check.gradient_tolerance * std::max({std::abs(analytic), std::abs(numeric), 1e-3}));
  }

  const Tensors inputs = converted(check.inputs, DType::float32);
  const Tensor dy32 = dy.to(DType::float32);
  for_each_isa([&](const std::string& name) {
    INFO("instruction set " << name);
    const Tensors got = run(check.layer, inputs, dy32);
    for (size_t i = 0; i < got.size(); ++i) CHECK(gap(got[i], exact[i]) <= check.float_tolerance);
  });

  Tensors apart;
  for (const Tensor& x : inputs) apart.push_back(strided(x));
  set_num_threads(1);
  const Tensors one = run(check.layer, inputs, dy32);
  CHECK(same_bits(check.layer(apart), one[0]));
  for (int threads : {2, 3}) {
    INFO(threads << " threads");
    set_num_threads(threads);
    const Tensors many = run(check.layer, inputs, dy32);
    for (size_t i = 0; i < many.size(); ++i) CHECK(same_bits(many[i], one[i]));
  }
  set_thread_pool(nullptr);
}

}  // namespace uncial::test
