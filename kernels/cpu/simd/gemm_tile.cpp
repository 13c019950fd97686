// Register-blocked matrix products, written once with vector extensions and compiled for each instruction
// set. Every loop over accumulators is unrolled by pragma: above 16 turns g++ 12 otherwise keeps the array in
// memory and the kernel runs at half speed (measured).

#include "gemm_tile.h"

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::GemmTile;

#if defined(UNCIAL_SIMD_avx512)
constexpr int kRows = 8, kVectors = 2;  // 16 accumulators, 10 loads for 16 multiply-adds
constexpr int kDotRows = 4, kDotCols = 6;
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kRows = 4, kVectors = 3;  // 12 accumulators of 16 registers
constexpr int kDotRows = 3, kDotCols = 4;
#else
constexpr int kRows = 4, kVectors = 2;
constexpr int kDotRows = 2, kDotCols = 4;
#endif

template <class T>
void packed(int64_t k, const T* a, const T* b, T* c) {
  using V = typename Lanes<T>::V;
  constexpr int lanes = Lanes<T>::count;
  V sum[kRows][kVectors] = {};
  for (int64_t l = 0; l < k; ++l, a += kRows, b += kVectors * lanes) {
    V right[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) right[j] = *reinterpret_cast<const V*>(b + j * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const T left = a[i];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sum[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) *reinterpret_cast<V*>(c + (i * kVectors + j) * lanes) = sum[i][j];
}

template <class T>
void dot(int64_t k, const T* const* a, const T* const* b, T* c) {
  using V = typename Lanes<T>::V;
  constexpr int lanes = Lanes<T>::count;
  V sum[kDotRows][kDotCols] = {};
  for (int64_t l = 0; l < k; l += lanes) {
    V left[kDotRows];
#pragma GCC unroll 8
    for (int i = 0; i < kDotRows; ++i) left[i] = *reinterpret_cast<const V*>(a[i] + l);
#pragma GCC unroll 8
    for (int j = 0; j < kDotCols; ++j) {
      const V right = *reinterpret_cast<const V*>(b[j] + l);
#pragma GCC unroll 8
      for (int i = 0; i < kDotRows; ++i) sum[i][j] += left[i] * right;
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kDotRows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < kDotCols; ++j)
      c[i * kDotCols + j] += lane_sum<T>(sum[i][j]);
}

template <class T>
constexpr GemmTile<T> tile() {
  return {kRows, kVectors * Lanes<T>::count, packed<T>, kDotRows, kDotCols, Lanes<T>::count, dot<T>};
}

}  // namespace

extern const uncial::cpu::GemmSimd gemm_simd = {tile<float>(), tile<double>()};

}  // namespace UNCIAL_SIMD
