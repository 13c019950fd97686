#include "uncial/kernels/optim.h"

#include "registers.h"
#include "uncial/kernels/math.h"
#include "vectors.h"

// Rates and step counts are read by the kernels, so that a captured step sees each step's. All parameters of
// a net are updated by one launch: their addresses go along as its argument.

namespace uncial::cuda {
namespace {

using kernels::Updated;

constexpr int kTensors = 64;  // of a launch: 3 KB of its 4 KB of arguments
constexpr int kUpdateThreads = 256;
constexpr int kVectorsAThread = 2;

template <class T>
inline constexpr int64_t kChunk = kUpdateThreads* kVectorsAThread* Vector<T>::kValues;  // values of a block

/// A value of a parameter and what goes with it.
template <class T>
struct UpdatedValue {
  T p, g, state0, state1;
};

/// A thread's values: all are loaded before the first is used.
template <class T>
struct UpdatedVectors {
  using V = Vector<T>;
  V p[kVectorsAThread], g[kVectorsAThread], state0[kVectorsAThread], state1[kVectorsAThread];

  /// kWhole: 16 bytes at once; else up to `count` values, which may be none.
  template <bool kWhole>
  UNCIAL_BODY static void load(V& to, const T* from, int64_t i, int64_t count) {
    to = V{};
    if (!from) return;
    if constexpr (kWhole) {
      to = *reinterpret_cast<const V*>(from + i);
    } else {
      for (int j = 0; j < V::kValues; ++j)
        if (j < count) to.v[j] = from[i + j];
    }
  }
  template <bool kWhole>
  UNCIAL_BODY static void store(const V& from, T* to, int64_t i, int64_t count) {
    if (!to) return;
    if constexpr (kWhole) {
      store_whole(to + i, from);
    } else {
      for (int j = 0; j < V::kValues; ++j)
        if (j < count) to[i + j] = from.v[j];
    }
  }
  template <bool kWhole>
  UNCIAL_BODY void load(int j, const Updated<T>& u, int64_t i) {
    load<kWhole>(p[j], u.p, i, u.size - i);
    load<kWhole>(g[j], u.g, i, u.size - i);
    load<kWhole>(state0[j], u.state0, i, u.size - i);
    load<kWhole>(state1[j], u.state1, i, u.size - i);
  }
  template <bool kWhole>
  UNCIAL_BODY void store(int j, const Updated<T>& u, int64_t i) const {
    store<kWhole>(p[j], u.p, i, u.size - i);
    store<kWhole>(state0[j], u.state0, i, u.size - i);
    store<kWhole>(state1[j], u.state1, i, u.size - i);
  }
  UNCIAL_BODY void scale_gradients(int j, T factor) {
    UNCIAL_UNROLL
    for (T& value : g[j].v) value *= factor;
  }
  template <class Step>
  UNCIAL_BODY void update(int j, const Step& step) {
    UNCIAL_UNROLL
    for (int k = 0; k < V::kValues; ++k) {
      UpdatedValue<T> value{p[j].v[k], g[j].v[k], state0[j].v[k], state1[j].v[k]};
      step(value);
      p[j].v[k] = value.p, state0[j].v[k] = value.state0, state1[j].v[k] = value.state1;
    }
  }
};

/// Parameters, cut into chunks.
template <class T>
struct UpdateTable {
  Updated<T> tensor[kTensors];
  int32_t end[kTensors];  ///< chunks of a tensor and of those before it
};

/// rule.ready(block), called by all threads of a block, gives what is called for each value. State that a
/// tensor lacks is 0, and is not kept. kScaled: gradients are multiplied by *unscale first, and where that is
/// 0 nothing is updated. Others have no such factor, not even 1: it would become part of a multiply-add, and
/// registers are few.
template <class T, bool kScaled, class Rule>
struct UpdateChunk {
  UpdateTable<T> table;
  Rule rule;
  const float* unscale;
  UNCIAL_BODY void operator()(const Block& block) const {
    int i = 0;
    while (block.index >= table.end[i]) ++i;
    const int64_t first = (block.index - (i > 0 ? table.end[i - 1] : 0)) * kChunk<T>;
    const Updated<T>& u = table.tensor[i];
    if (all_aligned(u.p, u.g, u.state0, u.state1) && first + kChunk<T> <= u.size)
      run<true>(block, u, first);
    else
      run<false>(block, u, first);
  }
  template <bool kWhole>
  UNCIAL_BODY void run(const Block& block, const Updated<T>& u, int64_t first) const {
    const auto place = [&](int t, int j) { return first + (j * kUpdateThreads + t) * Vector<T>::kValues; };
    PerThread<UpdatedVectors<T>, kUpdateThreads> vectors;
    // On their way while the rule gets ready, which takes as long.
    each_thread_without_waiting(block, [&](int t) {
      UNCIAL_UNROLL
      for (int j = 0; j < kVectorsAThread; ++j) vectors.of(t).template load<kWhole>(j, u, place(t, j));
    });
    if constexpr (kScaled)
      if (*unscale == 0) return;
    const auto step = rule.ready(block);
    block.each_thread([&](int t) {
      UNCIAL_UNROLL
      for (int j = 0; j < kVectorsAThread; ++j) {
        if constexpr (kScaled) vectors.of(t).scale_gradients(j, T(*unscale));
        vectors.of(t).update(j, step);
        vectors.of(t).template store<kWhole>(j, u, place(t, j));
      }
    });
  }
};

template <bool kScaled, class T, class Rule>
void launch_updates(const Updated<T>* tensors, int64_t count, const Rule& rule, const float* unscale,
                    const char* what) {
  for (int64_t next = 0; next < count;) {
    UpdateChunk<T, kScaled, Rule> chunk{{}, rule, unscale};
    int64_t chunks = 0;
    for (int used = 0; used < kTensors && next < count; ++next) {
      if (tensors[next].size == 0) continue;
      chunks += ceil_div(tensors[next].size, kChunk<T>);
      chunk.table.tensor[used] = tensors[next];
      chunk.table.end[used++] = int32_t(chunks);
    }
    each_block<kUpdateThreads, 3>(chunks, kUpdateThreads, 2 * int64_t(sizeof(double)), chunk, what);
  }
}

template <class T, class Rule>
void update_all(const Updated<T>* tensors, int64_t count, const Rule& rule, const float* unscale,
                const char* what) {
  if (unscale)
    launch_updates<true>(tensors, count, rule, unscale, what);
  else
    launch_updates<false>(tensors, count, rule, nullptr, what);
}

template <class T>
struct Sgd {
  const double* lr;
  T momentum, decay, rate;
  bool nesterov;
  UNCIAL_BODY Sgd ready(const Block&) const { return {lr, momentum, decay, T(*lr), nesterov}; }
  UNCIAL_BODY void operator()(UpdatedValue<T>& u) const {
    const T d = u.g + decay * u.p;
    u.state0 = momentum * u.state0 + d;
    u.p -= rate * (nesterov ? d + momentum * u.state0 : u.state0);
  }
};

template <class T>
struct Rmsprop {
  const double* lr;
  T alpha, rest, epsilon, momentum, decay, rate;
  UNCIAL_BODY Rmsprop ready(const Block&) const {
    return {lr, alpha, rest, epsilon, momentum, decay, T(*lr)};
  }
  UNCIAL_BODY void operator()(UpdatedValue<T>& u) const {
    const T d = u.g + decay * u.p;
    u.state0 = alpha * u.state0 + rest * (d * d);
    u.state1 = momentum * u.state1 + d / (math::sqrt(u.state0) + epsilon);
    u.p -= rate * u.state1;
  }
};

template <class T>
struct AdamStep {
  T beta1, rest1, beta2, rest2, epsilon, gradient_decay, rate, root, keep;
  UNCIAL_BODY void operator()(UpdatedValue<T>& u) const {
    const T d = u.g + gradient_decay * u.p;
    u.state0 = beta1 * u.state0 + rest1 * d;
    u.state1 = beta2 * u.state1 + rest2 * (d * d);
    u.p = keep * u.p - rate * u.state0 / (math::sqrt(u.state1) * root + epsilon);
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
  UNCIAL_BODY void operator()(UpdatedValue<T>& u) const { u.p = T(keep) * u.p + T(1 - keep) * u.g; }
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
  launch_updates<false>(table, count, Average<T>{step, decay, 0}, nullptr, "average");
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

UNCIAL_INSTANTIATE_UPDATES(float)
UNCIAL_INSTANTIATE_UPDATES(double)
template void advance<int64_t>(int64_t*, const float*);

}  // namespace uncial::cuda
