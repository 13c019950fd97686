#pragma once
/// @file held_line.h
/// Softmax of a line that threads hold in their registers, so that it is read once.

#include "registers.h"
#include "uncial/kernels/math.h"
#include "vectors.h"

namespace uncial::cuda {

/// What one element becomes, given the largest of its line and the sum of e^(x - largest). One division a
/// line, and no conversion an element: a GPU makes 16 a cycle where it multiplies 128.
template <bool kLog, class T>
struct Normaliser {
  T largest, inverse, log_sum;
  UNCIAL_BODY Normaliser(T m, double sum)
      : largest(m), inverse(T(1 / sum)), log_sum(kLog ? T(math::log(sum)) : T(0)) {}
  UNCIAL_BODY T operator()(T x) const {
    const T above = x - largest;
    return kLog ? above - log_sum : of_exponential(math::exp(above));
  }
  UNCIAL_BODY T of_exponential(T e) const { return e * inverse; }
};

/// Threads that share a line: those of a block,
struct OfBlock {
  static constexpr int kThreads = 256, kQuads = 4;  ///< at most; and quads of a thread
  static constexpr int64_t kLongest = 4 * kQuads * kThreads;
  const Block& block;

  UNCIAL_BODY int threads() const { return block.threads; }
  UNCIAL_BODY int place(int t) const { return t; }
  template <class F>
  UNCIAL_BODY void each(F f) const {
    each_thread_without_waiting(block, f);
  }
  template <class T, class Value, class Combine>
  UNCIAL_BODY T reduce(T none, Value value, Combine combine) const {
    return block.reduce(none, value, combine);
  }
};
/// or those of a warp, one of kWarps in the block: nobody waits at a barrier.
struct OfWarp {
  static constexpr int kWarps = 4, kThreads = kWarps * kWarp, kQuads = 8;
  static constexpr int64_t kLongest = 4 * kQuads * kWarp;
  const Warp& warp;

  UNCIAL_BODY int threads() const { return kWarp; }
  UNCIAL_BODY int place(int lane) const { return warp.index * kWarp + lane; }
  template <class F>
  UNCIAL_BODY void each([[maybe_unused]] F f) const {
#if defined(__CUDA_ARCH__) || !defined(__CUDACC__)
    warp.each_lane(f);
#endif
  }
  template <class T, class Value, class Combine>
  UNCIAL_BODY T reduce([[maybe_unused]] T none, [[maybe_unused]] Value value,
                       [[maybe_unused]] Combine combine) const {
#if defined(__CUDA_ARCH__) || !defined(__CUDACC__)
    return warp.reduce(value, combine);
#else
    return none;
#endif
  }
};

/// Lines whose elements are neighbours, each read once and held in registers.
template <bool kLog, class T>
struct HeldLine {
  const T* x;
  T* y;
  int count;
  bool whole;  ///< quads may be read at once, and no line ends within one

  template <class Team>
  struct Held {
    Quad<T> quads[Team::kQuads];
  };
  template <class Team, class Use>
  UNCIAL_BODY void each_quad(const Team& team, int t, Use use) const {
    UNCIAL_UNROLL
    for (int j = 0; j < Team::kQuads; ++j)
      if (const int k = 4 * (t + j * team.threads()); k < count) use(j, k);
  }
  template <class Team>
  UNCIAL_BODY void run(const Team& team, int64_t line, PerThread<Held<Team>, Team::kThreads>& held) const {
    const int64_t first = line * count;
    const auto of = [&](int t) -> Held<Team>& { return held.of(team.place(t)); };
    team.each([&](int t) {
      Held<Team>& mine = of(t);
      each_quad(team, t, [&](int j, int k) { mine.quads[j] = load(x + first + k, count - k); });
    });
    const T m = team.reduce(
        -T(__builtin_inff()),
        [&](int t) {
          T most = -T(__builtin_inff());
          each_quad(team, t, [&](int j, int) {
            for (T v : of(t).quads[j].v) most = most < v ? v : most;
          });
          return most;
        },
        [](T a, T b) { return a < b ? b : a; });
    const double sum = team.reduce(
        0.0,
        [&](int t) {
          double sum = 0;
          each_quad(team, t, [&](int j, int) {
            T four = 0;
            for (T& v : of(t).quads[j].v) {
              const T e = math::exp(v - m);
              four += e;
              if (!kLog) v = e;
            }
            sum += double(four);
          });
          return sum;
        },
        [](double a, double b) { return a + b; });
    const Normaliser<kLog, T> normalise(m, sum);
    team.each([&](int t) {
      each_quad(team, t, [&](int j, int k) {
        Quad<T> quad = of(t).quads[j];
        for (T& v : quad.v) v = kLog ? normalise(v) : normalise.of_exponential(v);
        store(quad, y + first + k, count - k);
      });
    });
  }
  /// Beyond the end lies what adds nothing: e^-infinity.
  UNCIAL_BODY Quad<T> load(const T* from, int left) const {
    if (whole) return Quad<T>::load(from);
    Quad<T> quad;
    for (int k = 0; k < 4; ++k) quad.v[k] = k < left ? from[k] : -T(__builtin_inff());
    return quad;
  }
  UNCIAL_BODY void store(const Quad<T>& quad, T* to, int left) const {
    if (whole) return quad.store(to);
    for (int k = 0; k < 4; ++k)
      if (k < left) to[k] = quad.v[k];
  }
};

}  // namespace uncial::cuda
