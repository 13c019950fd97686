#pragma once
#include "uncial/kernels/kernel.h"

namespace uncial {

/// Constants of the update rules; what changes from step to step (rate, step count) comes by pointer, so that
/// a recorded or captured step reads it anew each time.
struct SgdRule {
  double momentum, weight_decay;
  bool nesterov;
};
struct RmspropRule {
  double alpha, epsilon, momentum, weight_decay;
};
struct AdamRule {
  double beta1, beta2, epsilon, weight_decay;
  bool decoupled;  ///< AdamW: the decay acts on the parameter, not on the gradient
};

}  // namespace uncial

namespace uncial::kernels {

/// One parameter, its gradient, and the state that goes with it in the order of the rule's arguments; the
/// rest is null.
template <class T>
struct Updated {
  T* p;
  const T* g;
  T *state0, *state1;
  int64_t size;
};

}  // namespace uncial::kernels

/// Gradients are multiplied by *unscale first, unless it is null; where it is 0 nothing changes.
///
/// v = momentum v + g + weight_decay p, p -= lr v (Nesterov: p -= lr (g + weight_decay p + momentum v)).
/// `v` may be null when momentum is 0.
UNCIAL_KERNEL(sgd_update,
              (T * p, const T* g, T* v, const double* lr, SgdRule rule, const float* unscale, int64_t size))
/// s = alpha s + (1 - alpha) g^2, u = g / (sqrt(s) + epsilon), v = momentum v + u, p -= lr v, with
/// weight_decay p added to g first. `v` may be null when momentum is 0.
UNCIAL_KERNEL(rmsprop_update, (T * p, const T* g, T* s, T* v, const double* lr, RmspropRule rule,
                               const float* unscale, int64_t size))
/// Adam with first and second moments m, v; *step counts from 1.
UNCIAL_KERNEL(adam_update, (T * p, const T* g, T* m, T* v, const double* lr, const int64_t* step,
                            AdamRule rule, const float* unscale, int64_t size))
/// average = d average + (1 - d) x, d = min(decay, (1 + t) / (10 + t)), t = *step updates made before.
UNCIAL_KERNEL(average_update, (T * average, const T* x, const int64_t* step, double decay, int64_t size))
/// The same rules for `count` parameters at once, with the same bits; the table is on the host.
UNCIAL_KERNEL(sgd_update_all, (const kernels::Updated<T>* table, int64_t count, const double* lr,
                               SgdRule rule, const float* unscale))
UNCIAL_KERNEL(rmsprop_update_all, (const kernels::Updated<T>* table, int64_t count, const double* lr,
                                   RmspropRule rule, const float* unscale))
UNCIAL_KERNEL(adam_update_all, (const kernels::Updated<T>* table, int64_t count, const double* lr,
                                const int64_t* step, AdamRule rule, const float* unscale))
/// p is the average, g what it moves to.
UNCIAL_KERNEL(average_update_all,
              (const kernels::Updated<T>* table, int64_t count, const int64_t* step, double decay))
/// *counter += 1, unless `unscale` is not null and *unscale is 0.
UNCIAL_KERNEL(advance, (T * counter, const float* unscale))

/// For the end of a backend's optim file: all of these but advance(), for the float type T.
#define UNCIAL_INSTANTIATE_UPDATES(T)                                                                       \
  template void sgd_update<T>(T*, const T*, T*, const double*, SgdRule, const float*, int64_t);             \
  template void rmsprop_update<T>(T*, const T*, T*, T*, const double*, RmspropRule, const float*, int64_t); \
  template void adam_update<T>(T*, const T*, T*, T*, const double*, const int64_t*, AdamRule, const float*, \
                               int64_t);                                                                    \
  template void average_update<T>(T*, const T*, const int64_t*, double, int64_t);                           \
  template void sgd_update_all<T>(const kernels::Updated<T>*, int64_t, const double*, SgdRule,              \
                                  const float*);                                                            \
  template void rmsprop_update_all<T>(const kernels::Updated<T>*, int64_t, const double*, RmspropRule,      \
                                      const float*);                                                        \
  template void adam_update_all<T>(const kernels::Updated<T>*, int64_t, const double*, const int64_t*,      \
                                   AdamRule, const float*);                                                 \
  template void average_update_all<T>(const kernels::Updated<T>*, int64_t, const int64_t*, double);
