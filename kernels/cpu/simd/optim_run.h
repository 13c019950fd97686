#pragma once
/// @file optim_run.h
/// Update rules of optimisers over `n` neighbouring values. Every value is read and written once: the loops
/// are bound by memory.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// What one call of a rule needs, in the element type.
template <class T>
struct SgdStep {
  T lr, momentum, weight_decay;
};
template <class T>
struct RmspropStep {
  T lr, alpha, rest, epsilon, momentum, weight_decay;  ///< rest = 1 - alpha, rounded once
};
template <class T>
struct AdamStep {
  T beta1, rest1, beta2, rest2;     ///< rest = 1 - beta, rounded once
  T rate;                           ///< lr / (1 - beta1^t)
  T root;                           ///< 1 / sqrt(1 - beta2^t)
  T epsilon, gradient_decay, keep;  ///< g += gradient_decay p; p = keep p - ...
};

template <class T>
struct OptimRun {
  void (*sgd)(T* p, const T* g, int64_t n, SgdStep<T> s);
  void (*momentum)(T* p, const T* g, T* v, int64_t n, SgdStep<T> s);
  void (*nesterov)(T* p, const T* g, T* v, int64_t n, SgdStep<T> s);
  void (*rmsprop)(T* p, const T* g, T* s, int64_t n, RmspropStep<T> r);
  void (*rmsprop_momentum)(T* p, const T* g, T* s, T* v, int64_t n, RmspropStep<T> r);
  void (*adam)(T* p, const T* g, T* m, T* v, int64_t n, AdamStep<T> a);
  /// average = keep average + rest x
  void (*average)(T* average, const T* x, int64_t n, T keep, T rest);
};

struct OptimSimd {
  OptimRun<float> f32;
  OptimRun<double> f64;
};

UNCIAL_SIMD_FAMILY(OptimSimd, optim_simd)

template <class T>
const OptimRun<T>& optim_run() {
  if constexpr (sizeof(T) == 4)
    return optim_simd().f32;
  else
    return optim_simd().f64;
}

}  // namespace uncial::cpu
