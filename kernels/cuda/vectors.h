#pragma once
/// @file vectors.h
/// Neighbouring values 16 bytes at a time, several of them on their way from memory.

#include "grid.h"

namespace uncial::cuda {

/// What 16 bytes hold.
template <class T>
struct alignas(16) Vector {
  static constexpr int kValues = 16 / int(sizeof(T));
  T v[kValues];
};

template <class... Pointers>
UNCIAL_BODY bool all_aligned(Pointers... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers)) | ... | uintptr_t(0)) % sizeof(Vector16) == 0;
}

/// Four values, which begin at a multiple of 16 bytes.
template <class T>
struct alignas(16) Quad {
  T v[4];
  UNCIAL_BODY static Quad load(const T* from) { return *reinterpret_cast<const Quad*>(from); }
  UNCIAL_BODY void store(T* to) const {
    if constexpr (sizeof(Quad) == sizeof(Vector16))
      store_whole(to, *this);
    else
      *reinterpret_cast<Quad*>(to) = *this;
  }
};

/// use(i, load(i)) for i = t, t + threads, ... < count, in this order, as walk_ahead(): but the loads of
/// whole rounds depend on no question, which nvcc would ask before each of them.
template <int kAhead, class Load, class Use>
UNCIAL_BODY void walk_rounds(int t, int threads, int count, Load load, Use use) {
  int i = t;
  for (; i + (kAhead - 1) * threads < count; i += kAhead * threads) {
    decltype(load(i)) values[kAhead];
    UNCIAL_UNROLL
    for (int j = 0; j < kAhead; ++j) values[j] = load(i + j * threads);
    UNCIAL_UNROLL
    for (int j = 0; j < kAhead; ++j) use(i + j * threads, values[j]);
  }
  for (; i < count; i += threads) use(i, load(i));
}

/// y[i] = f(x[0][i], x[1][i] ...), a block kThreads threads of kMany vectors each, or of one where they are
/// few.
template <class T, class F, int kOperands>
struct EachValue {
  static constexpr int kThreads = 256, kMany = 4, kValues = Vector<T>::kValues;

  T* y;
  F f;
  const T* x[kOperands];
  int64_t size;
  bool many, aligned;

  UNCIAL_BODY int64_t chunk() const { return kThreads * kValues * (many ? kMany : 1); }

  template <class Get>
  UNCIAL_BODY T value(Get get) const {
    if constexpr (kOperands == 1) return f(get(0));
    if constexpr (kOperands == 2) return f(get(0), get(1));
    if constexpr (kOperands == 3) return f(get(0), get(1), get(2));
  }
  UNCIAL_BODY void operator()(const Block& block) const {
    const int64_t first = block.index * chunk();
    const int64_t count = size - first < chunk() ? size - first : chunk();
    block.each_thread([&](int t) {
      if (aligned && count == chunk())
        many ? vectors<kMany>(first + t * kValues) : vectors<1>(first + t * kValues);
      else
        for (int64_t i = first + t; i < first + count; i += kThreads)
          y[i] = value([&](int o) { return x[o][i]; });
    });
  }
  template <int kVectors>
  UNCIAL_BODY void vectors(int64_t first) const {
    constexpr int kStep = kThreads * kValues;
    Vector<T> in[kOperands][kVectors];
    UNCIAL_UNROLL
    for (int o = 0; o < kOperands; ++o) {
      UNCIAL_UNROLL
      for (int j = 0; j < kVectors; ++j)
        in[o][j] = *reinterpret_cast<const Vector<T>*>(x[o] + first + j * kStep);
    }
    UNCIAL_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      Vector<T> out;
      UNCIAL_UNROLL
      for (int k = 0; k < kValues; ++k) out.v[k] = value([&](int o) { return in[o][j].v[k]; });
      store_whole(y + first + j * kStep, out);
    }
  }
};

/// y[i] = f(x[i] ...) for all i < size, for up to three operands, one of which may be y.
template <class T, class F, class... In>
void each_value(int64_t size, T* y, const F& f, const char* what, const In*... x) {
  using Body = EachValue<T, F, sizeof...(x)>;
  const bool many =
      size >= int64_t(Body::kMany) * Body::kThreads * Body::kValues * gpu_limits().multiprocessors;
  const Body body{y, f, {x...}, size, many, all_aligned(y, x...)};
  each_block<Body::kThreads>(ceil_div(size, body.chunk()), Body::kThreads, 0, body, what);
}

}  // namespace uncial::cuda
