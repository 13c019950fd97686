#pragma once
/// @file math.h
/// exp, log and relatives as branch-free straight-line code, so that a loop over them becomes vector code on
/// any instruction set and on a GPU. The float overloads are polynomials; the double ones call libm.
///
/// Errors of the float overloads against the exact value, in units in the last place (ulp), over all floats
/// whose result is a normal number: exp 2, expm1 3, log 2, log1p 3, tanh 4, erf 3 (tests/ops/math_test.cpp
/// measures them for each instruction set). Infinities, NaN, overflow and underflow give what C's functions
/// give.
///
/// Included by files that are compiled for one instruction set: everything here must be inlined, because a
/// copy left over in such a file could be the one that the linker keeps for everybody.

#include <cstdint>

#if defined(__CUDACC__)
#define UNCIAL_HD __host__ __device__ __forceinline__
#else
#define UNCIAL_HD inline __attribute__((always_inline))
#endif

namespace uncial::math {

UNCIAL_HD float from_bits(uint32_t bits) { return __builtin_bit_cast(float, bits); }
UNCIAL_HD uint32_t to_bits(float x) { return __builtin_bit_cast(uint32_t, x); }

UNCIAL_HD float abs(float x) { return __builtin_fabsf(x); }
UNCIAL_HD double abs(double x) { return __builtin_fabs(x); }
UNCIAL_HD float sqrt(float x) { return __builtin_sqrtf(x); }
UNCIAL_HD double sqrt(double x) { return __builtin_sqrt(x); }
UNCIAL_HD float sin(float x) { return __builtin_sinf(x); }
UNCIAL_HD double sin(double x) { return __builtin_sin(x); }
UNCIAL_HD float cos(float x) { return __builtin_cosf(x); }
UNCIAL_HD double cos(double x) { return __builtin_cos(x); }
UNCIAL_HD float pow(float x, float y) { return __builtin_powf(x, y); }
UNCIAL_HD double pow(double x, double y) { return __builtin_pow(x, y); }

/// x = k ln 2 + r with |r| <= ln 2 / 2, and r^2 q = e^r - 1 - r: what exp and expm1 share.
/// Polynomial of Cephes' expf (Moshier, 1992); ln 2 is subtracted in two parts, of which the first is exact.
struct ReducedExp {
  uint32_t k;  // two's complement
  float r, r2q;

  UNCIAL_HD explicit ReducedExp(float x) {
    constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
    const float shifted = x * 1.44269504f + kRound;
    const float n = shifted - kRound;
    k = to_bits(shifted) - to_bits(kRound);
    r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float q = 1.9875691500e-4f;
    q = q * r + 1.3981999507e-3f;
    q = q * r + 8.3334519073e-3f;
    q = q * r + 4.1665795894e-2f;
    q = q * r + 1.6666665459e-1f;
    q = q * r + 5.0000001201e-1f;
    r2q = q * r * r;
  }
};

/// 2^k for k in [-126, 127] in two's complement.
UNCIAL_HD float power_of_two(uint32_t k) { return from_bits((k + 127u) << 23); }

UNCIAL_HD float exp(float x) {
  x = x < -104.0f ? -104.0f : x;  // written so that NaN passes
  x = x > 89.0f ? 89.0f : x;
  const ReducedExp e(x);
  // In two steps, so that 2^128 and denormal results are reached without leaving the range on the way.
  const uint32_t half = uint32_t(int32_t(e.k) >> 1);
  return (1.0f + (e.r + e.r2q)) * power_of_two(half) * power_of_two(e.k - half);
}
UNCIAL_HD double exp(double x) { return __builtin_exp(x); }

UNCIAL_HD float expm1(float x) {
  const bool tiny = abs(x) < 1e-7f;  // keeps -0 and denormals
  float t = x < -30.0f ? -30.0f : x;
  t = t > 89.0f ? 89.0f : t;
  const ReducedExp e(t);
  const float scale = power_of_two(e.k - 1u);  // half of 2^k: 2^128 is out of range
  const float y = (scale * (e.r + e.r2q) + (scale - 0.5f)) * 2.0f;
  return tiny ? x : y;
}
UNCIAL_HD double expm1(double x) { return __builtin_expm1(x); }

/// Polynomial of Cephes' logf (Moshier, 1992).
UNCIAL_HD float log(float x) {
  constexpr uint32_t kRootHalf = 0x3f3504f3u;  // bits of sqrt(1/2): mantissas lie in [sqrt(1/2), sqrt(2))
  const bool denormal = x < 1.17549435e-38f;
  const uint32_t bits = to_bits(denormal ? x * 33554432.0f : x) + (0x3f800000u - kRootHalf);
  const float e = float(int32_t(bits >> 23) - 127) - (denormal ? 25.0f : 0.0f);
  const float m = from_bits((bits & 0x7fffffu) + kRootHalf) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const float square = m * m;
  const float tail = m * square * p + e * -2.12194440e-4f - 0.5f * square;
  float y = (m + tail) + e * 0.693359375f;
  y = x == 0.0f ? -__builtin_inff() : y;
  y = x < 0.0f ? __builtin_nanf("") : y;
  return x < __builtin_inff() ? y : x;  // infinity and NaN
}
UNCIAL_HD double log(double x) { return __builtin_log(x); }

/// log(1 + x), with what 1 + x rounded away added back to first order. Domain [-1, infinity].
UNCIAL_HD float log1p(float x) {
  const float w = 1.0f + x;
  const float lost = (x - (w - 1.0f)) / w;
  return log(w) + (w > 0.0f && w < __builtin_inff() ? lost : 0.0f);
}
UNCIAL_HD double log1p(double x) { return __builtin_log1p(x); }

UNCIAL_HD float tanh(float x) {
  float a = abs(x);
  a = a > 10.0f ? 10.0f : a;  // 1 - tanh(9.1) is below half an ulp
  const float t = expm1(2.0f * a);
  return __builtin_copysignf(t / (t + 2.0f), x);
}
UNCIAL_HD double tanh(double x) { return __builtin_tanh(x); }

/// Minimax polynomials after N. Juffa's erff (2016): odd near 0, 1 - e^p(|x|) further out.
UNCIAL_HD float erf(float x) {
  const float a = abs(x), s = x * x;
  float far = -1.72853470e-5f * a + 3.83197126e-4f;
  const float high = -3.88396438e-3f * a + 2.42546219e-2f;
  far = far * s + high;
  far = far * a - 1.06777877e-1f;
  far = far * a - 6.34846687e-1f;
  far = far * a - 1.28717512e-1f;
  far = far * a - a;
  far = a > 4.0f ? -104.0f : far;  // the polynomial turns back up beyond its interval; erf is 1 there
  far = __builtin_copysignf(1.0f - exp(far), x);
  float near = -5.96761703e-4f;
  near = near * s + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  near = near * x + x;
  return a > 0.927734375f ? far : near;
}
UNCIAL_HD double erf(double x) { return __builtin_erf(x); }

}  // namespace uncial::math
