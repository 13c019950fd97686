#include "resample.h"

#include "lanes.h"
#include "low_halves.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::SourcePlaces;

constexpr int kLanes = Lanes<int64_t>::count;
constexpr int kPointBits = 14, kPositionBits = 24;
constexpr int64_t kOne = 1 << kPointBits;

using Integers = Lanes<int64_t>::V;
using Words = Lanes<uint64_t>::V;
using Doubles = Lanes<double>::V;
using Floats = Lanes<float, kVectorBytes / 2>::V;  // as many as there are Doubles
using Narrow = Lanes<int32_t, kVectorBytes / 2>::V;

/// Q24 to Q14, to nearest, counted from the rim and kept inside of it. The bias keeps the shift logical: AVX2
/// has no arithmetic one for 64 bits. Positions stay below 2^45: sides up to 2^15, steps below 2^4 pixels,
/// three terms.
[[gnu::always_inline]] inline Words from_rim(Integers position, int64_t side) {
  constexpr int kShift = kPositionBits - kPointBits;
  constexpr int64_t kBias = int64_t(1) << 50, kHalf = 1 << (kShift - 1);
  Integers q = Integers(Words(position + (kBias + kHalf)) >> kShift) - ((kBias >> kShift) - kOne);
  const Integers last = Integers{} + ((side + 1) << kPointBits);
  q = q < 0 ? Integers{} : q;
  return Words(q > last ? last : q);
}

[[gnu::always_inline]] inline void store_narrow(int32_t* p, Words v) {
  store<int32_t, kVectorBytes / 2>(p, __builtin_convertvector(v, Narrow));
}

void affine_places(const uncial::cpu::AffineSource& source, int64_t H, int64_t W, int64_t stride,
                   SourcePlaces to) {
  const auto [x0, xx, xy, y0, yx, yy] = source;
  const Integers step_x = Integers{} + kLanes * xx, step_y = Integers{} + kLanes * yx;
  Integers row_x, row_y;
  for (int l = 0; l < kLanes; ++l) row_x[l] = x0 + l * xx, row_y[l] = y0 + l * yx;
  for (int64_t row = 0; row < H; ++row, row_x += xy, row_y += yy) {
    Integers px = row_x, py = row_y;
    for (int64_t i = row * W; i < (row + 1) * W; i += kLanes, px += step_x, py += step_y) {
      const Words x = from_rim(px, W), y = from_rim(py, H);
      const Words first = multiply_low_halves(y >> kPointBits, Words{} + uint64_t(stride));
      store_narrow(to.corner + i, first + (x >> kPointBits));
      store_narrow(to.right + i, x & uint64_t(kOne - 1));
      store_narrow(to.below + i, y & uint64_t(kOne - 1));
    }
  }
}

/// One by one; g++ 12 halves vectors of 512 bits for __builtin_convertvector.
[[gnu::always_inline]] inline Doubles doubles(Floats v) {
#if defined(UNCIAL_SIMD_avx512)
  return Doubles(_mm512_maskz_cvtps_pd(0xff, __m256(v)));  // g++ 12 warns about the unmasked one
#else
  return __builtin_convertvector(v, Doubles);
#endif
}
[[gnu::always_inline]] inline Doubles doubles(Narrow v) {
#if defined(UNCIAL_SIMD_avx512)
  return Doubles(_mm512_maskz_cvtepi32_pd(0xff, __m256i(v)));
#else
  return __builtin_convertvector(v, Doubles);
#endif
}

/// Two neighbouring floats in one lane of 64 bits.
[[gnu::always_inline]] inline uint64_t pair_at(const float* p) {
  uint64_t pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  return pair;
}

/// The floats at some places, and those behind them.
template <class = std::make_integer_sequence<int, kLanes>>
struct Pixels;
template <int... I>
struct Pixels<std::integer_sequence<int, I...>> {
  Doubles left, right;
  /// By single loads: processors whose gather instructions leak across threads were patched to run those
  /// several times slower.
  [[gnu::always_inline]] static Pixels at(const float* from, const int32_t* places) {
    const auto pairs = Lanes<float>::V(Words{pair_at(from + places[I])...});
    return {doubles(Floats(__builtin_shufflevector(pairs, pairs, 2 * I...))),
            doubles(Floats(__builtin_shufflevector(pairs, pairs, 2 * I + 1 ...)))};
  }
};

[[gnu::always_inline]] inline void mix(const float* plane, int64_t stride, const int32_t* corner,
                                       const int32_t* right, const int32_t* below, float* out) {
  const auto upper = Pixels<>::at(plane, corner), lower = Pixels<>::at(plane + stride, corner);
  const Doubles u = doubles(load<int32_t, kVectorBytes / 2>(right)),
                v = doubles(load<int32_t, kVectorBytes / 2>(below));
  const Doubles wd = u * v, wc = v * double(kOne) - wd, wb = u * double(kOne) - wd,
                wa = double(kOne) * double(kOne) - u * double(kOne) - wc;
  const Doubles sum = (wa * upper.left + wb * upper.right) + (wc * lower.left + wd * lower.right);
  store<float, kVectorBytes / 2>(out, __builtin_convertvector(sum * 0x1p-28, Floats));
}

void sample(const float* plane, int64_t stride, SourcePlaces at, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) mix(plane, stride, at.corner + i, at.right + i, at.below + i, out + i);
  if (i == n) return;
  int32_t corner[kLanes] = {}, right[kLanes] = {}, below[kLanes] = {};
  float last[kLanes];
  for (int l = 0; i + l < n; ++l)
    corner[l] = at.corner[i + l], right[l] = at.right[i + l], below[l] = at.below[i + l];
  mix(plane, stride, corner, right, below, last);
  for (int l = 0; i < n; ++i, ++l) out[i] = last[l];
}

}  // namespace

extern const uncial::cpu::ResampleSimd resample_simd = {affine_places, sample};

}  // namespace UNCIAL_SIMD
