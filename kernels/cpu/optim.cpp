#include "uncial/kernels/optim.h"

#include <algorithm>
#include <cmath>

#include "simd/optim_run.h"
#include "uncial/core/parallel.h"

// Blocks are cut by the size of the parameter alone, and no value depends on another.

namespace uncial::cpu {
namespace {
constexpr int64_t kGrain = 1 << 14;  // values

/// step(begin, end, gradient) for pieces of [0, size); `gradient` is that of a piece, times *unscale.
template <class T, class Step>
void in_pieces(int64_t size, const T* g, const float* unscale, const Step& step) {
  if (unscale && *unscale == 0) return;
  parallel_blocks(size, kGrain, [&](int64_t begin, int64_t end) {
    if (!unscale) return step(begin, end, g + begin);
    constexpr int64_t kPiece = 1024;
    T scaled[kPiece];
    for (; begin < end; begin += kPiece) {
      const int64_t last = std::min(end, begin + kPiece);
      for (int64_t i = begin; i < last; ++i) scaled[i - begin] = g[i] * T(*unscale);
      step(begin, last, scaled);
    }
  });
}

}  // namespace

template <class T>
void sgd_update(T* p, const T* g, T* v, const double* lr, SgdRule rule, const float* unscale, int64_t size) {
  const SgdStep<T> step{T(*lr), T(rule.momentum), T(rule.weight_decay)};
  const OptimRun<T>& run = optim_run<T>();
  in_pieces(size, g, unscale, [&](int64_t begin, int64_t end, const T* gradient) {
    if (!v)
      run.sgd(p + begin, gradient, end - begin, step);
    else
      (rule.nesterov ? run.nesterov : run.momentum)(p + begin, gradient, v + begin, end - begin, step);
  });
}

template <class T>
void rmsprop_update(T* p, const T* g, T* s, T* v, const double* lr, RmspropRule rule, const float* unscale,
                    int64_t size) {
  const RmspropStep<T> step{T(*lr),          T(rule.alpha),    T(1 - rule.alpha),
                            T(rule.epsilon), T(rule.momentum), T(rule.weight_decay)};
  const OptimRun<T>& run = optim_run<T>();
  in_pieces(size, g, unscale, [&](int64_t begin, int64_t end, const T* gradient) {
    if (v)
      run.rmsprop_momentum(p + begin, gradient, s + begin, v + begin, end - begin, step);
    else
      run.rmsprop(p + begin, gradient, s + begin, end - begin, step);
  });
}

template <class T>
void adam_update(T* p, const T* g, T* m, T* v, const double* lr, const int64_t* step, AdamRule rule,
                 const float* unscale, int64_t size) {
  const double t = double(*step);
  const AdamStep<T> a{.beta1 = T(rule.beta1),
                      .rest1 = T(1 - rule.beta1),
                      .beta2 = T(rule.beta2),
                      .rest2 = T(1 - rule.beta2),
                      .rate = T(*lr / (1 - std::pow(rule.beta1, t))),
                      .root = T(1 / std::sqrt(1 - std::pow(rule.beta2, t))),
                      .epsilon = T(rule.epsilon),
                      .gradient_decay = T(rule.decoupled ? 0 : rule.weight_decay),
                      .keep = T(rule.decoupled ? 1 - *lr * rule.weight_decay : 1)};
  const OptimRun<T>& run = optim_run<T>();
  in_pieces(size, g, unscale, [&](int64_t begin, int64_t end, const T* gradient) {
    run.adam(p + begin, gradient, m + begin, v + begin, end - begin, a);
  });
}

template <class T>
void average_update(T* average, const T* x, const int64_t* step, double decay, int64_t size) {
  const double t = double(*step), keep = std::min(decay, (1 + t) / (10 + t));
  const OptimRun<T>& run = optim_run<T>();
  parallel_blocks(size, kGrain, [&](int64_t begin, int64_t end) {
    run.average(average + begin, x + begin, end - begin, T(keep), T(1 - keep));
  });
}

template <class T>
void sgd_update_all(const kernels::Updated<T>* table, int64_t count, const double* lr, SgdRule rule,
                    const float* unscale) {
  for (const auto* u = table; u != table + count; ++u)
    sgd_update<T>(u->p, u->g, u->state0, lr, rule, unscale, u->size);
}
template <class T>
void rmsprop_update_all(const kernels::Updated<T>* table, int64_t count, const double* lr, RmspropRule rule,
                        const float* unscale) {
  for (const auto* u = table; u != table + count; ++u)
    rmsprop_update<T>(u->p, u->g, u->state0, u->state1, lr, rule, unscale, u->size);
}
template <class T>
void adam_update_all(const kernels::Updated<T>* table, int64_t count, const double* lr, const int64_t* step,
                     AdamRule rule, const float* unscale) {
  for (const auto* u = table; u != table + count; ++u)
    adam_update<T>(u->p, u->g, u->state0, u->state1, lr, step, rule, unscale, u->size);
}
template <class T>
void average_update_all(const kernels::Updated<T>* table, int64_t count, const int64_t* step, double decay) {
  for (const auto* u = table; u != table + count; ++u) average_update<T>(u->p, u->g, step, decay, u->size);
}

template <class T>
void advance(T* counter, const float* unscale) {
  if (!unscale || *unscale != 0) ++*counter;
}

UNCIAL_INSTANTIATE_UPDATES(float)
UNCIAL_INSTANTIATE_UPDATES(double)
template void advance<int64_t>(int64_t*, const float*);

}  // namespace uncial::cpu
