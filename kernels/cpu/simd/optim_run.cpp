#include "optim_run.h"

#include <type_traits>

#include "lanes.h"
#include "uncial/kernels/math.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace UNCIAL_SIMD {
namespace {

using namespace uncial::cpu;

// The compiler has no word for the square root of a vector; g++ 12 warns of its own header without a mask.
#if defined(UNCIAL_SIMD_avx512)
[[gnu::always_inline]] inline Lanes<float>::V root(Lanes<float>::V x) {
  return _mm512_maskz_sqrt_ps(__mmask16(-1), (__m512)x);
}
[[gnu::always_inline]] inline Lanes<double>::V root(Lanes<double>::V x) {
  return _mm512_maskz_sqrt_pd(__mmask8(-1), (__m512d)x);
}
#elif defined(UNCIAL_SIMD_avx2)
[[gnu::always_inline]] inline Lanes<float>::V root(Lanes<float>::V x) { return _mm256_sqrt_ps((__m256)x); }
[[gnu::always_inline]] inline Lanes<double>::V root(Lanes<double>::V x) { return _mm256_sqrt_pd((__m256d)x); }
#elif defined(__SSE2__)
[[gnu::always_inline]] inline Lanes<float>::V root(Lanes<float>::V x) { return _mm_sqrt_ps((__m128)x); }
[[gnu::always_inline]] inline Lanes<double>::V root(Lanes<double>::V x) { return _mm_sqrt_pd((__m128d)x); }
#else
template <class V, int count = sizeof(V) / sizeof(V{}[0])>
[[gnu::always_inline]] inline V root(V x) {
  for (int l = 0; l < count; ++l) x[l] = uncial::math::sqrt(x[l]);
  return x;
}
#endif
[[gnu::always_inline]] inline float root(float x) { return uncial::math::sqrt(x); }
[[gnu::always_inline]] inline double root(double x) { return uncial::math::sqrt(x); }

/// A vector in a register: template arguments lose the attributes of Lanes<T>::V.
template <class T>
struct Register {
  typedef T V __attribute__((vector_size(kVectorBytes)));
};

/// rule(values of each array...) for the vectors at p...
template <class T, class Rule, class... P>
[[gnu::always_inline]] inline void vectors(const Rule& rule, P*... p) {
  const auto in_registers = [&](auto... value) __attribute__((always_inline)) {
    rule(value...);
    const auto put = [](auto* to, const auto& from) __attribute__((always_inline)) {
      if constexpr (!std::is_const_v<std::remove_pointer_t<decltype(to)>>) store<T>(to, from);
    };
    (put(p, value), ...);
  };
  in_registers(static_cast<typename Register<T>::V>(load<T>(p))...);
}

/// The same for all of n values, a line of memory at a time, the last ones singly. What lies ahead is
/// fetched: four arrays are more than the hardware follows from page to page.
template <class T, class Rule, class... P>
[[gnu::always_inline]] inline void walk(int64_t n, const Rule& rule, P*... p) {
  constexpr int64_t kLine = 64 / sizeof(T), kAhead = 32 * kLine, kLanes = Lanes<T>::count;
  int64_t i = 0;
  for (; i + kLine <= n; i += kLine) {
    (__builtin_prefetch(p + i + kAhead), ...);
#pragma GCC unroll 4
    for (int64_t j = i; j < i + kLine; j += kLanes) vectors<T>(rule, p + j...);
  }
  for (; i < n; ++i) rule(p[i]...);
}

template <class T>
void sgd(T* p, const T* g, int64_t n, SgdStep<T> s) {
  walk<T>(
      n, [=](auto& p, auto& g) __attribute__((always_inline)) { p -= s.lr * (g + s.weight_decay * p); }, p,
      g);
}

template <class T>
void momentum(T* p, const T* g, T* v, int64_t n, SgdStep<T> s) {
  walk<T>(
      n,
      [=](auto& p, auto& g, auto& v) __attribute__((always_inline)) {
        v = s.momentum * v + (g + s.weight_decay * p);
        p -= s.lr * v;
      },
      p, g, v);
}

template <class T>
void nesterov(T* p, const T* g, T* v, int64_t n, SgdStep<T> s) {
  walk<T>(
      n,
      [=](auto& p, auto& g, auto& v) __attribute__((always_inline)) {
        const auto d = g + s.weight_decay * p;
        v = s.momentum * v + d;
        p -= s.lr * (d + s.momentum * v);
      },
      p, g, v);
}

template <class T>
void rmsprop(T* p, const T* g, T* s, int64_t n, RmspropStep<T> r) {
  walk<T>(
      n,
      [=](auto& p, auto& g, auto& s) __attribute__((always_inline)) {
        const auto d = g + r.weight_decay * p;
        s = r.alpha * s + r.rest * (d * d);
        p -= r.lr * (d / (root(s) + r.epsilon));
      },
      p, g, s);
}

template <class T>
void rmsprop_momentum(T* p, const T* g, T* s, T* v, int64_t n, RmspropStep<T> r) {
  walk<T>(
      n,
      [=](auto& p, auto& g, auto& s, auto& v) __attribute__((always_inline)) {
        const auto d = g + r.weight_decay * p;
        s = r.alpha * s + r.rest * (d * d);
        v = r.momentum * v + d / (root(s) + r.epsilon);
        p -= r.lr * v;
      },
      p, g, s, v);
}

template <class T>
void adam(T* p, const T* g, T* m, T* v, int64_t n, AdamStep<T> a) {
  walk<T>(
      n,
      [=](auto& p, auto& g, auto& m, auto& v) __attribute__((always_inline)) {
        const auto d = g + a.gradient_decay * p;
        m = a.beta1 * m + a.rest1 * d;
        v = a.beta2 * v + a.rest2 * (d * d);
        p = a.keep * p - a.rate * m / (root(v) * a.root + a.epsilon);
      },
      p, g, m, v);
}

template <class T>
void average(T* average, const T* x, int64_t n, T keep, T rest) {
  walk<T>(
      n, [=](auto& average, auto& x) __attribute__((always_inline)) { average = keep * average + rest * x; },
      average, x);
}

template <class T>
constexpr OptimRun<T> run() {
  return {sgd<T>, momentum<T>, nesterov<T>, rmsprop<T>, rmsprop_momentum<T>, adam<T>, average<T>};
}

}  // namespace

extern const uncial::cpu::OptimSimd optim_simd = {run<float>(), run<double>()};

}  // namespace UNCIAL_SIMD
