#pragma once
/// @file lanes.h
/// Vectors of the instruction set that the including file is compiled for, as compiler extensions (g++ and
/// clang). Vectors are never passed to or returned from functions that are not inlined: how they travel
/// depends on the set.

#include <cstdint>

namespace UNCIAL_SIMD {
namespace {

#if defined(UNCIAL_SIMD_avx512)
constexpr int kVectorBytes = 64;
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

/// V: a vector of T that may lie at any address.
template <class T>
struct Lanes {
  typedef T V __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
  static constexpr int count = kVectorBytes / int(sizeof(T));
};

template <class T>
[[gnu::always_inline]] inline typename Lanes<T>::V load(const T* p) {
  return *reinterpret_cast<const typename Lanes<T>::V*>(p);
}

template <class T, class V>
[[gnu::always_inline]] inline void store(T* p, V v) {
  *reinterpret_cast<typename Lanes<T>::V*>(p) = v;
}

/// Sum of the lanes, always by the same tree of pairs.
template <class T, class V>
[[gnu::always_inline]] inline T lane_sum(V v) {
  constexpr int lanes = int(sizeof(V) / sizeof(T));
  T lane[lanes];
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) lane[i] = v[i];
#pragma GCC unroll 5
  for (int width = lanes / 2; width > 0; width /= 2)
#pragma GCC unroll 16
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  return lane[0];
}

}  // namespace
}  // namespace UNCIAL_SIMD
