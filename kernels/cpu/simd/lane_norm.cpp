// Sums run in float lanes over a stretch of at most 256 vectors and in double from stretch to stretch: float
// alone would lose digits over a picture, double alone would halve the speed. Four accumulators take turns,
// because an addition waits 4 cycles for the one before. Lanes that hold no sample are left out at the end.

#include "lane_norm.h"

#include "lane_doubles.h"
#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneImage;
using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;
constexpr int64_t kStretch = 256;

/// Whether rows follow each other without gaps.
bool gapless(const LaneImage& x) { return x.row == x.W * kLanes; }

/// Calls body(h, w, n) for stretches of n pixels from (h, w) on, in order: rows, or more where none of the
/// images has gaps.
template <class Body>
[[gnu::always_inline]] inline void for_stretches(int64_t H, int64_t W, bool gaps, const Body& body) {
  const int64_t rows = gaps ? H : 1, length = gaps ? W : H * W;
  for (int64_t h = 0; h < rows; ++h)
    for (int64_t w = 0; w < length; w += kStretch) body(h, w, length - w < kStretch ? length - w : kStretch);
}

/// Sum of term(i) over [0, n), which is a vector.
template <class Term>
[[gnu::always_inline]] inline V sum_of(int64_t n, const Term& term) {
  V sum[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sum[j] += term(i + j);
  for (; i < n; ++i) sum[0] += term(i);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// Sum of term(pixel) of channel c of x, in each lane.
template <class Term>
[[gnu::always_inline]] inline LaneDoubles plane_sum(const LaneImage& x, int64_t c, const Term& term) {
  LaneDoubles total;
  for_stretches(x.H, x.W, !gapless(x), [&](int64_t h, int64_t w, int64_t n) {
    const float* p = x.data + c * x.plane + h * x.row + w * kLanes;
    total.add(sum_of(n, [&](int64_t i) { return term(load(p + i * kLanes)); }));
  });
  return total;
}

/// In two passes over a channel, which lies in a cache: float sums of large values of small variance would be
/// off by more than the deviations, so the second pass corrects the mean of the first.
void moments(const LaneImage& x, int64_t samples, double* moments) {
  const double count = double(samples * x.H * x.W);
  for (int64_t c = 0; c < x.C; ++c) {
    const float centre = float(plane_sum(x, c, [](V v) { return v; }).sum(samples) / count);
    LaneDoubles deviations, squares;
    for_stretches(x.H, x.W, !gapless(x), [&](int64_t h, int64_t w, int64_t n) {
      const float* p = x.data + c * x.plane + h * x.row + w * kLanes;
      const auto deviation = [&](int64_t i) { return load(p + i * kLanes) - centre; };
      deviations.add(sum_of(n, deviation));
      squares.add(sum_of(n, [&](int64_t i) { return deviation(i) * deviation(i); }));
    });
    const double off = deviations.sum(samples) / count;
    moments[2 * c] = double(centre) + off;
    moments[2 * c + 1] = squares.sum(samples) - count * off * off;
  }
}

void channel_sums(const LaneImage& x, int64_t samples, double* sums) {
  for (int64_t c = 0; c < x.C; ++c) sums[c] += plane_sum(x, c, [](V v) { return v; }).sum(samples);
}

template <bool relu, bool with_skip>
void affine_planes(const LaneImage& x, const float* mean, const float* factor, const float* shift,
                   const LaneImage& skip, const LaneImage& y) {
  const bool gaps = !gapless(x) || !gapless(y) || (with_skip && !gapless(skip));
  for (int64_t c = 0; c < x.C; ++c) {
    const V m = V{} + mean[c], f = V{} + factor[c], s = V{} + shift[c];
    for_stretches(x.H, x.W, gaps, [&](int64_t h, int64_t w, int64_t n) {
      const float* from = x.data + c * x.plane + h * x.row + w * kLanes;
      const float* more = with_skip ? skip.data + c * skip.plane + h * skip.row + w * kLanes : nullptr;
      float* to = y.data + c * y.plane + h * y.row + w * kLanes;
      for (int64_t i = 0; i < n * kLanes; i += kLanes) {
        V v = (load(from + i) - m) * f + s;
        if constexpr (with_skip) v += load(more + i);
        store(to + i, relu ? (v < 0.0f ? V{} : v) : v);
      }
    });
  }
}

void affine(const LaneImage& x, const float* mean, const float* factor, const float* shift,
            const LaneImage& skip, bool relu, const LaneImage& y) {
  const auto planes = skip.data ? (relu ? affine_planes<true, true> : affine_planes<false, true>)
                                : (relu ? affine_planes<true, false> : affine_planes<false, false>);
  planes(x, mean, factor, shift, skip, y);
}

/// dy at `offset`, behind a ReLU where its output is given.
template <bool relu>
[[gnu::always_inline]] inline V gradient_at(const float* dy, const float* relu_y, int64_t offset) {
  const V v = load(dy + offset);
  if constexpr (relu) return load(relu_y + offset) > 0.0f ? v : V{};
  return v;
}

template <bool relu>
void gradient_sums(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                   int64_t samples, double* sums) {
  const bool gaps = !gapless(x) || !gapless(dy);
  for (int64_t c = 0; c < x.C; ++c) {
    LaneDoubles total, product;
    for_stretches(x.H, x.W, gaps, [&](int64_t h, int64_t w, int64_t n) {
      const int64_t at = c * dy.plane + h * dy.row + w * kLanes;
      const float* in = x.data + c * x.plane + h * x.row + w * kLanes;
      const auto gradient = [&](int64_t i) { return gradient_at<relu>(dy.data, relu_y, at + i * kLanes); };
      total.add(sum_of(n, gradient));
      product.add(sum_of(n, [&](int64_t i) { return gradient(i) * (load(in + i * kLanes) - mean[c]); }));
    });
    sums[2 * c] = total.sum(samples);
    sums[2 * c + 1] = product.sum(samples);
  }
}

void norm_sums(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
               int64_t samples, double* sums) {
  relu_y ? gradient_sums<true>(dy, relu_y, x, mean, samples, sums)
         : gradient_sums<false>(dy, relu_y, x, mean, samples, sums);
}

template <bool relu>
void gradient_planes(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                     const float* dy_mean, const float* slope, const float* factor, int64_t samples,
                     const LaneImage& dx) {
  typedef int32_t Mask __attribute__((vector_size(kVectorBytes)));
  Mask real = {};
  for (int i = 0; i < samples; ++i) real[i] = -1;
  const bool gaps = !gapless(x) || !gapless(dy) || !gapless(dx);
  for (int64_t c = 0; c < x.C; ++c) {
    const V m = V{} + mean[c], g = V{} + dy_mean[c], s = V{} + slope[c], f = V{} + factor[c];
    for_stretches(x.H, x.W, gaps, [&](int64_t h, int64_t w, int64_t n) {
      const int64_t at = c * dy.plane + h * dy.row + w * kLanes;
      const float* in = x.data + c * x.plane + h * x.row + w * kLanes;
      float* to = dx.data + c * dx.plane + h * dx.row + w * kLanes;
      for (int64_t i = 0; i < n * kLanes; i += kLanes) {
        const V v = (gradient_at<relu>(dy.data, relu_y, at + i) - g - (load(in + i) - m) * s) * f;
        store(to + i, V(Mask(v) & real));
      }
    });
  }
}

void norm_gradient(const LaneImage& dy, const float* relu_y, const LaneImage& x, const float* mean,
                   const float* dy_mean, const float* slope, const float* factor, int64_t samples,
                   const LaneImage& dx) {
  relu_y ? gradient_planes<true>(dy, relu_y, x, mean, dy_mean, slope, factor, samples, dx)
         : gradient_planes<false>(dy, relu_y, x, mean, dy_mean, slope, factor, samples, dx);
}

}  // namespace

extern const uncial::cpu::LaneNormSimd lane_norm_simd = {kLanes,    moments,       affine,
                                                         norm_sums, norm_gradient, channel_sums};

}  // namespace UNCIAL_SIMD
