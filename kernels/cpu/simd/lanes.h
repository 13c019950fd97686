#pragma once
/// @file lanes.h
/// Vectors of the instruction set that the including file is compiled for, as compiler extensions (g++ and
/// clang). Vectors are never passed to or returned from functions that are not inlined: how they travel
/// depends on the set.

#include <cstdint>
#include <utility>

namespace UNCIAL_SIMD {
namespace {

#if defined(UNCIAL_SIMD_avx512)
constexpr int kVectorBytes = 64;
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

/// V: a vector of T that may lie at any address and alias anything.
template <class T, int kBytes = kVectorBytes>
struct Lanes {
  typedef T V __attribute__((vector_size(kBytes), aligned(sizeof(T)), may_alias));
  static constexpr int count = kBytes / int(sizeof(T));
};

template <class T, int kBytes = kVectorBytes>
[[gnu::always_inline]] inline typename Lanes<T, kBytes>::V load(const T* p) {
  return *reinterpret_cast<const typename Lanes<T, kBytes>::V*>(p);
}

/// The vector type is spelt out, never deduced: a template parameter would lose its attributes.
template <class T, int kBytes = kVectorBytes>
[[gnu::always_inline]] inline void store(T* p, typename Lanes<T, kBytes>::V v) {
  *reinterpret_cast<typename Lanes<T, kBytes>::V*>(p) = v;
}

/// Stores past the caches: what is written need not be fetched first, and drives nothing else out. p has the
/// vector's alignment. Threads see it in order only after end_streams().
[[gnu::always_inline]] inline void stream(float* p, typename Lanes<float>::V v) {
#if defined(__clang__)
  typedef float Aligned __attribute__((vector_size(kVectorBytes)));
  __builtin_nontemporal_store(v, reinterpret_cast<Aligned*>(p));
#elif defined(UNCIAL_SIMD_avx512)
  __builtin_ia32_movntps512(reinterpret_cast<float*>(p), v);
#elif defined(UNCIAL_SIMD_avx2)
  __builtin_ia32_movntps256(reinterpret_cast<float*>(p), v);
#elif defined(__SSE__)
  __builtin_ia32_movntps(reinterpret_cast<float*>(p), v);
#else
  store<float>(p, v);
#endif
}
[[gnu::always_inline]] inline void end_streams() {
#if defined(__SSE__)
  __builtin_ia32_sfence();
#endif
}

/// 2 * count neighbours, split into those at even and at odd places.
template <class T, int kBytes = kVectorBytes,
          class = std::make_integer_sequence<int, Lanes<T, kBytes>::count>>
struct Pairs;
template <class T, int kBytes, int... I>
struct Pairs<T, kBytes, std::integer_sequence<int, I...>> {
  using V = typename Lanes<T, kBytes>::V;
  static constexpr int n = Lanes<T, kBytes>::count;
  V even, odd;

  [[gnu::always_inline]] static Pairs from(const T* p) {
    const V low = load<T, kBytes>(p), high = load<T, kBytes>(p + n);
    return {__builtin_shufflevector(low, high, 2 * I...), __builtin_shufflevector(low, high, 2 * I + 1 ...)};
  }
  [[gnu::always_inline]] void to(T* p) const {
    store<T, kBytes>(p, __builtin_shufflevector(even, odd, (I / 2 + I % 2 * n)...));
    store<T, kBytes>(p + n, __builtin_shufflevector(even, odd, (n / 2 + I / 2 + I % 2 * n)...));
  }
};

/// Sum of the lanes, always by the same tree: the upper half is added to the lower one until one lane is
/// left.
template <class T, int count>
[[gnu::always_inline]] inline T lane_sum_at(const T* lanes) {
  if constexpr (count == 1) {
    return lanes[0];
  } else {
    typedef T Half __attribute__((vector_size(count / 2 * sizeof(T)), aligned(sizeof(T)), may_alias));
    const Half sum = reinterpret_cast<const Half*>(lanes)[0] + reinterpret_cast<const Half*>(lanes)[1];
    return lane_sum_at<T, count / 2>(reinterpret_cast<const T*>(&sum));
  }
}
template <class T, class V>
[[gnu::always_inline]] inline T lane_sum(V v) {
  return lane_sum_at<T, int(sizeof(V) / sizeof(T))>(reinterpret_cast<const T*>(&v));
}

}  // namespace
}  // namespace UNCIAL_SIMD
