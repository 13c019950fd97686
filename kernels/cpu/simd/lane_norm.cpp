// Sums run in float lanes over a stretch of at most 256 vectors and in double from stretch to stretch: float
// alone would lose digits over a picture, double alone would halve the speed. Four accumulators take turns,
// because an addition waits 4 cycles for the one before. Lanes that hold no sample are left out at the end.

#include "lane_norm.h"

#include "lane_doubles.h"
#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneImage;
using uncial::cpu::LaneNormGradient;
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

/// How dy is masked.
enum class Mask { none, by_output, by_input };

/// The gradient of channel c, pixels from (h, w) on.
template <Mask mask>
struct Gradient {
  const float *dy, *relu_y, *x;
  V mean, factor, shift;
  Gradient(const LaneNormGradient& g, int64_t c, int64_t h, int64_t w)
      : dy(g.dy.data + c * g.dy.plane + h * g.dy.row + w * kLanes),
        relu_y(mask == Mask::by_output ? g.relu_y + (dy - g.dy.data) : nullptr),
        x(g.x.data + c * g.x.plane + h * g.x.row + w * kLanes),
        mean(V{} + g.mean[c]),
        factor(mask == Mask::by_input ? V{} + g.factor[c] : V{}),
        shift(mask == Mask::by_input ? V{} + g.shift[c] : V{}) {}
  [[gnu::always_inline]] V distance(int64_t i) const { return load(x + i * kLanes) - mean; }
  [[gnu::always_inline]] V passed(int64_t i, V v, V far) const {
    if constexpr (mask == Mask::by_output) return load(relu_y + i * kLanes) > 0.0f ? v : V{};
    if constexpr (mask == Mask::by_input) return far * factor + shift > 0.0f ? v : V{};
    return v;
  }
};

/// Sums of dy and of dy * distance; dy(i, distance) is a vector. Two pairs of sums take turns.
struct PairSums {
  LaneDoubles total, product;
  template <Mask mask, class Dy>
  [[gnu::always_inline]] void add(const Gradient<mask>& g, int64_t n, const Dy& dy) {
    V sums[2] = {}, products[2] = {};
    const auto at = [&](int64_t i, int j) __attribute__((always_inline)) {
      const V far = g.distance(i), v = dy(i, far);
      sums[j] += v;
      products[j] += v * far;
    };
    int64_t i = 0;
    for (; i + 2 <= n; i += 2) at(i, 0), at(i + 1, 1);
    if (i < n) at(i, 0);
    total.add(sums[0] + sums[1]);
    product.add(products[0] + products[1]);
  }
  [[gnu::always_inline]] void to(int64_t samples, double* pair) const {
    pair[0] = total.sum(samples);
    pair[1] = product.sum(samples);
  }
};

template <Mask mask>
void sums_of(const LaneNormGradient& g, int64_t samples, double* sums) {
  for (int64_t c = 0; c < g.x.C; ++c) {
    PairSums pair;
    for_stretches(g.x.H, g.x.W, !gapless(g.x) || !gapless(g.dy), [&](int64_t h, int64_t w, int64_t n) {
      const Gradient<mask> from(g, c, h, w);
      pair.add(from, n, [&](int64_t i, V far) { return from.passed(i, load(from.dy + i * kLanes), far); });
    });
    pair.to(samples, sums + 2 * c);
  }
}

void norm_sums(const LaneNormGradient& g, int64_t samples, double* sums) {
  const auto planes = g.relu_y  ? sums_of<Mask::by_output>
                      : g.shift ? sums_of<Mask::by_input>
                                : sums_of<Mask::none>;
  planes(g, samples, sums);
}

template <Mask mask, bool with_more>
void join(const LaneNormGradient& g, const LaneImage& more, const LaneImage& to, int64_t samples,
          double* sums) {
  const bool gaps = !gapless(g.x) || !gapless(g.dy) || !gapless(to) || (with_more && !gapless(more));
  for (int64_t c = 0; c < g.x.C; ++c) {
    PairSums pair;
    for_stretches(g.x.H, g.x.W, gaps, [&](int64_t h, int64_t w, int64_t n) {
      const Gradient<mask> from(g, c, h, w);
      const float* other = with_more ? more.data + c * more.plane + h * more.row + w * kLanes : nullptr;
      float* out = to.data + c * to.plane + h * to.row + w * kLanes;
      pair.add(from, n, [&](int64_t i, V far) {
        V v = load(from.dy + i * kLanes);
        if constexpr (with_more) v += load(other + i * kLanes);
        v = from.passed(i, v, far);
        store(out + i * kLanes, v);
        return v;
      });
    });
    pair.to(samples, sums + 2 * c);
  }
}

void join_sums(const LaneNormGradient& g, const LaneImage& more, const LaneImage& to, int64_t samples,
               double* sums) {
  const auto planes = g.relu_y ? (more.data ? join<Mask::by_output, true> : join<Mask::by_output, false>)
                               : (more.data ? join<Mask::none, true> : join<Mask::none, false>);
  planes(g, more, to, samples, sums);
}

template <Mask mask>
void gradient_planes(const LaneNormGradient& g, const float* dy_mean, const float* slope, const float* scale,
                     int64_t samples, const LaneImage& dx) {
  using Bits = Lanes<int32_t>::V;
  const Bits real = real_lanes(samples);
  const bool gaps = !gapless(g.x) || !gapless(g.dy) || !gapless(dx);
  for (int64_t c = 0; c < g.x.C; ++c) {
    const V off = V{} + dy_mean[c], s = V{} + slope[c], f = V{} + scale[c];
    for_stretches(g.x.H, g.x.W, gaps, [&](int64_t h, int64_t w, int64_t n) {
      const Gradient<mask> from(g, c, h, w);
      float* to = dx.data + c * dx.plane + h * dx.row + w * kLanes;
      for (int64_t i = 0; i < n; ++i) {
        const V far = from.distance(i), v = from.passed(i, load(from.dy + i * kLanes), far);
        store(to + i * kLanes, V(Bits((v - off - far * s) * f) & real));
      }
    });
  }
}

void norm_gradient(const LaneNormGradient& g, const float* dy_mean, const float* slope, const float* scale,
                   int64_t samples, const LaneImage& dx) {
  const auto planes = g.relu_y  ? gradient_planes<Mask::by_output>
                      : g.shift ? gradient_planes<Mask::by_input>
                                : gradient_planes<Mask::none>;
  planes(g, dy_mean, slope, scale, samples, dx);
}

}  // namespace

extern const uncial::cpu::LaneNormSimd lane_norm_simd = {kLanes,    moments,       affine,      norm_sums,
                                                         join_sums, norm_gradient, channel_sums};

}  // namespace UNCIAL_SIMD
