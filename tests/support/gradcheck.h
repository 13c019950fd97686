#pragma once
/// Gradients against central differences, in float64.

#include <functional>
#include <type_traits>

#include "uncial/core/tensor.h"

namespace uncial::test {

/// A function of tensors: anything that can be called with one, two or three of them, or with Tensors.
class Function {
 public:
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Function>) Function(F f) {
    if constexpr (std::is_invocable_v<F, const Tensors&>) {
      call_ = f;
    } else if constexpr (std::is_invocable_v<F, const Tensor&>) {
      call_ = [f](const Tensors& x) { return f(x[0]); };
    } else if constexpr (std::is_invocable_v<F, const Tensor&, const Tensor&>) {
      call_ = [f](const Tensors& x) { return f(x[0], x[1]); };
    } else {
      call_ = [f](const Tensors& x) { return f(x[0], x[1], x[2]); };
    }
  }
  Function() = default;
  explicit operator bool() const { return bool(call_); }
  Tensor operator()(const Tensors& x) const { return call_(x); }

 private:
  std::function<Tensor(const Tensors&)> call_;
};

/// Sum of a[i] * b[i] of float64 tensors, without the library's operators.
double dot(const Tensor& a, const Tensor& b);
/// x + step * v of float64 tensors, without the library's operators; row-major.
Tensor moved(const Tensor& x, double step, const Tensor& v);

/// Options of gradient_gap().
struct GapOptions {
  uint64_t seed = 1;
  double h = 1e-5;  ///< step of the central difference
};

/// Relative gap between backward() and a central difference of `f` at `x`, along one random direction v of
/// every float64 input:
///   <dL/dx, v>   against   (L(x + h v) - L(x - h v)) / 2h,   with L(x) = <w, f(x)>, w random.
/// v moves every element at once: two forwards, however large x is. Inputs of other types stay as they are.
/// A missing gradient counts as 0, so `f` must not depend on that input then. Stay off kinks by a few h.
double gradient_gap(const Function& f, const Tensors& x, GapOptions options = {});

/// The same for the gradient of f^2 + f with respect to each float64 input, that is for second derivatives:
/// of f, and of its gradient rule with respect to dy. Also of the first gradient with a graph to that
/// without.
double second_gradient_gap(const Function& f, const Tensors& x, GapOptions options = {});

}  // namespace uncial::test
