#include "optim_run.h"

#include "uncial/kernels/math.h"

namespace UNCIAL_SIMD {
namespace {

using namespace uncial::cpu;

template <class T>
void sgd(T* p, const T* g, int64_t n, SgdStep<T> s) {
  for (int64_t i = 0; i < n; ++i) p[i] -= s.lr * (g[i] + s.weight_decay * p[i]);
}

template <class T>
void momentum(T* p, const T* g, T* v, int64_t n, SgdStep<T> s) {
  for (int64_t i = 0; i < n; ++i) {
    v[i] = s.momentum * v[i] + (g[i] + s.weight_decay * p[i]);
    p[i] -= s.lr * v[i];
  }
}

template <class T>
void nesterov(T* p, const T* g, T* v, int64_t n, SgdStep<T> s) {
  for (int64_t i = 0; i < n; ++i) {
    const T d = g[i] + s.weight_decay * p[i];
    v[i] = s.momentum * v[i] + d;
    p[i] -= s.lr * (d + s.momentum * v[i]);
  }
}

template <class T>
void rmsprop(T* p, const T* g, T* s, int64_t n, RmspropStep<T> r) {
  for (int64_t i = 0; i < n; ++i) {
    const T d = g[i] + r.weight_decay * p[i];
    s[i] = r.alpha * s[i] + r.rest * (d * d);
    p[i] -= r.lr * (d / (uncial::math::sqrt(s[i]) + r.epsilon));
  }
}

template <class T>
void rmsprop_momentum(T* p, const T* g, T* s, T* v, int64_t n, RmspropStep<T> r) {
  for (int64_t i = 0; i < n; ++i) {
    const T d = g[i] + r.weight_decay * p[i];
    s[i] = r.alpha * s[i] + r.rest * (d * d);
    v[i] = r.momentum * v[i] + d / (uncial::math::sqrt(s[i]) + r.epsilon);
    p[i] -= r.lr * v[i];
  }
}

template <class T>
void adam(T* p, const T* g, T* m, T* v, int64_t n, AdamStep<T> a) {
  for (int64_t i = 0; i < n; ++i) {
    const T d = g[i] + a.gradient_decay * p[i];
    m[i] = a.beta1 * m[i] + a.rest1 * d;
    v[i] = a.beta2 * v[i] + a.rest2 * (d * d);
    p[i] = a.keep * p[i] - a.rate * m[i] / (uncial::math::sqrt(v[i]) * a.root + a.epsilon);
  }
}

template <class T>
void average(T* average, const T* x, int64_t n, T keep, T rest) {
  for (int64_t i = 0; i < n; ++i) average[i] = keep * average[i] + rest * x[i];
}

template <class T>
constexpr OptimRun<T> run() {
  return {sgd<T>, momentum<T>, nesterov<T>, rmsprop<T>, rmsprop_momentum<T>, adam<T>, average<T>};
}

}  // namespace

extern const uncial::cpu::OptimSimd optim_simd = {run<float>(), run<double>()};

}  // namespace UNCIAL_SIMD
