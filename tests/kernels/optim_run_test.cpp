// Update rules over neighbouring values, against the formulas in double, between guards, from any address.

#include "simd/optim_run.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/guarded.h"
#include "support/isas.h"

namespace uncial::cpu {
namespace {

/// Values between guards that are not numbers.
template <class T>
struct Array {
  static constexpr int64_t kMargin = 40;
  std::vector<T> memory;
  Array(int64_t n, guarded::Integers& next, bool positive = false)
      : memory(size_t(n + 2 * kMargin), std::numeric_limits<T>::quiet_NaN()) {
    for (int64_t i = 0; i < n; ++i) {
      const T value = T(next(100)) / 64;
      data()[i] = positive ? std::abs(value) : value;
    }
  }
  T* data() { return memory.data() + kMargin + 1; }
  bool margins_untouched(int64_t n) const {
    for (int64_t i = 0; i < int64_t(memory.size()); ++i)
      if ((i <= kMargin || i > kMargin + n) && !std::isnan(memory[size_t(i)])) return false;
    return true;
  }
};

/// Four arrays, and what a rule makes of single values of them.
template <class T, class Run, class Rule>
void check(int64_t n, const Run& run, const Rule& rule) {
  guarded::Integers next(uint32_t(n) + 3);
  Array<T> p(n, next), g(n, next), a(n, next, true), b(n, next, true);
  const Array<T> old_p = p, old_g = g, old_a = a, old_b = b;
  run(p.data(), g.data(), a.data(), b.data());
  int64_t wrong = 0;
  const auto differs = [](double x, double y) {
    return !(std::abs(x - y) <= 8 * double(std::numeric_limits<T>::epsilon()) * (1 + std::abs(y)));
  };
  for (int64_t i = 0; i < n; ++i) {
    const auto at = [&](const Array<T>& x) { return double(x.memory[size_t(Array<T>::kMargin + 1 + i)]); };
    double values[] = {at(old_p), at(old_g), at(old_a), at(old_b)};
    rule(values[0], values[1], values[2], values[3]);
    wrong += differs(at(p), values[0]) || at(g) != at(old_g) || differs(at(a), values[2]) ||
             differs(at(b), values[3]);
  }
  CHECK(wrong == 0);
  for (const Array<T>* x : {&p, &g, &a, &b}) CHECK(x->margins_untouched(n));
}

template <class T>
void check_all(int64_t n) {
  const OptimRun<T>& r = optim_run<T>();
  const SgdStep<T> s{T(0.125), T(0.5), T(0.25)};
  check<T>(
      n, [&](T* p, T* g, T*, T*) { r.sgd(p, g, n, s); },
      [](double& p, double g, double&, double&) { p -= 0.125 * (g + 0.25 * p); });
  check<T>(
      n, [&](T* p, T* g, T* v, T*) { r.momentum(p, g, v, n, s); },
      [](double& p, double g, double& v, double&) { v = 0.5 * v + g + 0.25 * p, p -= 0.125 * v; });
  check<T>(
      n, [&](T* p, T* g, T* v, T*) { r.nesterov(p, g, v, n, s); },
      [](double& p, double g, double& v, double&) {
        const double d = g + 0.25 * p;
        v = 0.5 * v + d, p -= 0.125 * (d + 0.5 * v);
      });
  const RmspropStep<T> m{T(0.125), T(0.75), T(0.25), T(0.5), T(0.5), T(0.25)};
  const auto scaled = [](double p, double g, double& sum) {
    const double d = g + 0.25 * p;
    sum = 0.75 * sum + 0.25 * d * d;
    return d / (std::sqrt(sum) + 0.5);
  };
  check<T>(
      n, [&](T* p, T* g, T* a, T*) { r.rmsprop(p, g, a, n, m); },
      [&](double& p, double g, double& a, double&) { p -= 0.125 * scaled(p, g, a); });
  check<T>(
      n, [&](T* p, T* g, T* a, T* v) { r.rmsprop_momentum(p, g, a, v, n, m); },
      [&](double& p, double g, double& a, double& v) { v = 0.5 * v + scaled(p, g, a), p -= 0.125 * v; });
  const AdamStep<T> d{T(0.75), T(0.25), T(0.5), T(0.5), T(0.125), T(2), T(0.25), T(0.5), T(0.875)};
  check<T>(
      n, [&](T* p, T* g, T* a, T* v) { r.adam(p, g, a, v, n, d); },
      [](double& p, double g, double& a, double& v) {
        const double x = g + 0.5 * p;
        a = 0.75 * a + 0.25 * x, v = 0.5 * v + 0.5 * x * x;
        p = 0.875 * p - 0.125 * a / (2 * std::sqrt(v) + 0.25);
      });
  check<T>(
      n, [&](T* p, T* g, T*, T*) { r.average(p, g, n, T(0.75), T(0.25)); },
      [](double& p, double g, double&, double&) { p = 0.75 * p + 0.25 * g; });
}

TEST_CASE("optimisers: values by the formulas, nothing beside them touched") {
  test::for_each_isa([](const std::string&) {
    for (int64_t n : {0, 1, 7, 8, 15, 16, 17, 33, 1000}) {
      CAPTURE(n);
      check_all<float>(n);
      check_all<double>(n);
    }
  });
}

}  // namespace
}  // namespace uncial::cpu
