#include "uncial/kernels/optim.h"

#include "grid.h"
#include "uncial/kernels/math.h"

// Rates and step counts are read by the kernels, so that a captured step sees each step's. All parameters of
// a net are updated by one launch: their addresses go along as its argument.

namespace uncial::cuda {
namespace {

using kernels::Updated;

constexpr int kTensors = 64;  // of a launch: 3 KB of its 4 KB of arguments
constexpr int kUpdateThreads = 256;
constexpr int64_t kChunk = 1024;  // values of a block

/// Parameters, cut into chunks.
template <class T>
struct UpdateTable {
  Updated<T> tensor[kTensors];
  int32_t end[kTensors];  ///< chunks of a tensor and of those before it
};

/// rule.ready(block), called by all threads of a block, gives what is called for each value and its gradient.
template <class T, class Rule>
struct UpdateChunk {
  UpdateTable<T> table;
  Rule rule;
  const float* unscale;  ///< or null
  UNCIAL_BODY void operator()(const Block& block) const {
    const float factor = unscale ? *unscale : 1.0f;
    if (factor == 0) return;
    int i = 0;
    while (block.index >= table.end[i]) ++i;
    const int64_t first = (block.index - (i > 0 ? table.end[i - 1] : 0)) * kChunk,
                  size = table.tensor[i].size, last = first + kChunk < size ? first + kChunk : size;
    const Updated<T> u = table.tensor[i];
    const auto step = rule.ready(block);
    block.each_thread([&](int t) {
      for (int64_t k = first + t; k < last; k += block.threads) step(u, k, u.g[k] * T(factor));
    });
  }
};

template <class T, class Rule>
void update_all(const Updated<T>* tensors, int64_t count, const Rule& rule, const float* unscale,
                const char* what) {
  for (int64_t next = 0; next < count;) {
    UpdateChunk<T, Rule> chunk{{}, rule, unscale};
    int64_t chunks = 0;
    for (int used = 0; used < kTensors && next < count; ++next) {
      if (tensors[next].size == 0) continue;
      chunks += ceil_div(tensors[next].size, kChunk);
      chunk.table.tensor[used] = tensors[next];
      chunk.table.end[used++] = int32_t(chunks);
    }
    each_block(chunks, kUpdateThreads, 2 * int64_t(sizeof(double)), chunk, what);
  }
}

template <class T>
struct Sgd {
  const double* lr;
  T momentum, decay, rate;
  bool nesterov;
  UNCIAL_BODY Sgd ready(const Block&) const { return {lr, momentum, decay, T(*lr), nesterov}; }
  UNCIAL_BODY void operator()(const Updated<T>& u, int64_t i, T g) const {
    const T d = g + decay * u.p[i];
    T* v = u.state0;
    if (!v) {
      u.p[i] -= rate * d;
      return;
    }
    v[i] = momentum * v[i] + d;
    u.p[i] -= rate * (nesterov ? d + momentum * v[i] : v[i]);
  }
};

template <class T>
struct Rmsprop {
  const double* lr;
  T alpha, rest, epsilon, momentum, decay, rate;
  UNCIAL_BODY Rmsprop ready(const Block&) const {
    return {lr, alpha, rest, epsilon, momentum, decay, T(*lr)};
  }
  UNCIAL_BODY void operator()(const Updated<T>& u, int64_t i, T g) const {
    T *s = u.state0, *v = u.state1;
    const T d = g + decay * u.p[i];
    s[i] = alpha * s[i] + rest * (d * d);
    T step = d / (math::sqrt(s[i]) + epsilon);
    if (v) step = v[i] = momentum * v[i] + step;
    u.p[i] -= rate * step;
  }
};

template <class T>
struct AdamStep {
  T beta1, rest1, beta2, rest2, epsilon, gradient_decay, rate, root, keep;
  UNCIAL_BODY void operator()(const Updated<T>& u, int64_t i, T g) const {
    T *m = u.state0, *v = u.state1;
    const T d = g + gradient_decay * u.p[i];
    m[i] = beta1 * m[i] + rest1 * d;
    v[i] = beta2 * v[i] + rest2 * (d * d);
    u.p[i] = keep * u.p[i] - rate * m[i] / (math::sqrt(v[i]) * root + epsilon);
  }
};

template <class T>
struct Adam {
  const double* lr;
  const int64_t* step;
  AdamRule rule;
  /// Two powers a block, not a value.
  UNCIAL_BODY AdamStep<T> ready(const Block& block) const {
    auto* corrections = block.memory<double>();
    block.each_thread([&](int t) {
      if (t > 1) return;
      const double left = 1 - math::pow(t == 0 ? rule.beta1 : rule.beta2, double(*step));
      corrections[t] = t == 0 ? *lr / left : 1 / math::sqrt(left);
    });
    return {T(rule.beta1),     T(1 - rule.beta1), T(rule.beta2),
            T(1 - rule.beta2), T(rule.epsilon),   T(rule.decoupled ? 0 : rule.weight_decay),
            T(corrections[0]), T(corrections[1]), T(rule.decoupled ? 1 - *lr * rule.weight_decay : 1)};
  }
};

template <class T>
struct Average {
  const int64_t* step;
  double decay, keep;
  UNCIAL_BODY Average ready(const Block&) const {
    const double t = double(*step), early = (1 + t) / (10 + t);
    return {step, decay, decay < early ? decay : early};
  }
  UNCIAL_BODY void operator()(const Updated<T>& u, int64_t i, T x) const {
    u.p[i] = T(keep) * u.p[i] + T(1 - keep) * x;
  }
};

}  // namespace

template <class T>
void sgd_update_all(const Updated<T>* table, int64_t count, const double* lr, SgdRule rule,
                    const float* unscale) {
  update_all(table, count, Sgd<T>{lr, T(rule.momentum), T(rule.weight_decay), T(0), rule.nesterov}, unscale,
             "sgd");
}
template <class T>
void rmsprop_update_all(const Updated<T>* table, int64_t count, const double* lr, RmspropRule rule,
                        const float* unscale) {
  update_all(table, count,
             Rmsprop<T>{lr, T(rule.alpha), T(1 - rule.alpha), T(rule.epsilon), T(rule.momentum),
                        T(rule.weight_decay), T(0)},
             unscale, "rmsprop");
}
template <class T>
void adam_update_all(const Updated<T>* table, int64_t count, const double* lr, const int64_t* step,
                     AdamRule rule, const float* unscale) {
  update_all(table, count, Adam<T>{lr, step, rule}, unscale, "adam");
}
template <class T>
void average_update_all(const Updated<T>* table, int64_t count, const int64_t* step, double decay) {
  update_all(table, count, Average<T>{step, decay, 0}, nullptr, "average");
}

template <class T>
void sgd_update(T* p, const T* g, T* v, const double* lr, SgdRule rule, const float* unscale, int64_t size) {
  const Updated<T> one{p, g, v, nullptr, size};
  sgd_update_all<T>(&one, 1, lr, rule, unscale);
}
template <class T>
void rmsprop_update(T* p, const T* g, T* s, T* v, const double* lr, RmspropRule rule, const float* unscale,
                    int64_t size) {
  const Updated<T> one{p, g, s, v, size};
  rmsprop_update_all<T>(&one, 1, lr, rule, unscale);
}
template <class T>
void adam_update(T* p, const T* g, T* m, T* v, const double* lr, const int64_t* step, AdamRule rule,
                 const float* unscale, int64_t size) {
  const Updated<T> one{p, g, m, v, size};
  adam_update_all<T>(&one, 1, lr, step, rule, unscale);
}
template <class T>
void average_update(T* average, const T* x, const int64_t* step, double decay, int64_t size) {
  const Updated<T> one{average, x, nullptr, nullptr, size};
  average_update_all<T>(&one, 1, step, decay);
}

template <class T>
void advance(T* counter, const float* unscale) {
  each(
      1,
      [=] UNCIAL_BODY(int64_t) {
        if (!unscale || *unscale != 0) ++*counter;
      },
      "advance");
}

#define UNCIAL_INSTANTIATE(T)                                                                               \
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
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE
template void advance<int64_t>(int64_t*, const float*);

}  // namespace uncial::cuda
