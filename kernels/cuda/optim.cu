#include "uncial/kernels/optim.h"

#include "grid.h"
#include "uncial/kernels/math.h"

// Rates and step counts are read by the kernels, so that a captured step sees each step's.

namespace uncial::cuda {

template <class T>
void sgd_update(T* p, const T* g, T* v, const double* lr, SgdRule rule, int64_t size) {
  const T momentum = T(rule.momentum), decay = T(rule.weight_decay);
  each(
      size,
      [=] UNCIAL_BODY(int64_t i) {
        const T rate = T(*lr), d = g[i] + decay * p[i];
        if (!v) {
          p[i] -= rate * d;
          return;
        }
        v[i] = momentum * v[i] + d;
        p[i] -= rate * (rule.nesterov ? d + momentum * v[i] : v[i]);
      },
      "sgd");
}

template <class T>
void rmsprop_update(T* p, const T* g, T* s, T* v, const double* lr, RmspropRule rule, int64_t size) {
  const T alpha = T(rule.alpha), rest = T(1 - rule.alpha), epsilon = T(rule.epsilon),
          momentum = T(rule.momentum), decay = T(rule.weight_decay);
  each(
      size,
      [=] UNCIAL_BODY(int64_t i) {
        const T d = g[i] + decay * p[i];
        s[i] = alpha * s[i] + rest * (d * d);
        T u = d / (math::sqrt(s[i]) + epsilon);
        if (v) u = v[i] = momentum * v[i] + u;
        p[i] -= T(*lr) * u;
      },
      "rmsprop");
}

template <class T>
void adam_update(T* p, const T* g, T* m, T* v, const double* lr, const int64_t* step, AdamRule rule,
                 int64_t size) {
  const T beta1 = T(rule.beta1), rest1 = T(1 - rule.beta1), beta2 = T(rule.beta2), rest2 = T(1 - rule.beta2),
          epsilon = T(rule.epsilon), gradient_decay = T(rule.decoupled ? 0 : rule.weight_decay);
  each_block(
      ceil_div(size, kMaxThreads), 256, 2 * int64_t(sizeof(double)),
      [=] UNCIAL_BODY(const Block& block) {
        // Two powers a block, not a value.
        auto* corrections = block.memory<double>();
        block.each_thread([&](int t) {
          if (t > 1) return;
          const double left = 1 - math::pow(t == 0 ? rule.beta1 : rule.beta2, double(*step));
          corrections[t] = t == 0 ? *lr / left : 1 / math::sqrt(left);
        });
        const T rate = T(corrections[0]), root = T(corrections[1]),
                keep = T(rule.decoupled ? 1 - *lr * rule.weight_decay : 1);
        block.each_thread([&](int t) {
          for (int64_t i = block.index * kMaxThreads + t; i < size && i < (block.index + 1) * kMaxThreads;
               i += block.threads) {
            const T d = g[i] + gradient_decay * p[i];
            m[i] = beta1 * m[i] + rest1 * d;
            v[i] = beta2 * v[i] + rest2 * (d * d);
            p[i] = keep * p[i] - rate * m[i] / (math::sqrt(v[i]) * root + epsilon);
          }
        });
      },
      "adam");
}

template <class T>
void average_update(T* average, const T* x, const int64_t* step, double decay, int64_t size) {
  each(
      size,
      [=] UNCIAL_BODY(int64_t i) {
        const double t = double(*step), early = (1 + t) / (10 + t), keep = decay < early ? decay : early;
        average[i] = T(keep) * average[i] + T(1 - keep) * x[i];
      },
      "average");
}

template <class T>
void advance(T* counter) {
  each(1, [=] UNCIAL_BODY(int64_t) { ++*counter; }, "advance");
}

#define UNCIAL_INSTANTIATE(T)                                                                           \
  template void sgd_update<T>(T*, const T*, T*, const double*, SgdRule, int64_t);                       \
  template void rmsprop_update<T>(T*, const T*, T*, T*, const double*, RmspropRule, int64_t);           \
  template void adam_update<T>(T*, const T*, T*, T*, const double*, const int64_t*, AdamRule, int64_t); \
  template void average_update<T>(T*, const T*, const int64_t*, double, int64_t);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE
template void advance<int64_t>(int64_t*);

}  // namespace uncial::cuda
