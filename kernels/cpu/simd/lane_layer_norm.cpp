// Sums run in float lanes over stretches of at most 256 vectors and in double from stretch to stretch, as in
// lane_norm.cpp.

#include "lane_layer_norm.h"

#include "lane_doubles.h"
#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using V = Lanes<float>::V;
using Bits = Lanes<int32_t>::V;
constexpr int kLanes = Lanes<float>::count;
constexpr int64_t kStretch = 256;

/// Sum of term(d) over [0, D) in each lane, in two accumulators by turns: an addition waits for the one
/// before.
template <class Term>
[[gnu::always_inline]] inline LaneDoubles sum_over(int64_t D, const Term& term) {
  LaneDoubles total;
  for (int64_t first = 0; first < D; first += kStretch) {
    const int64_t end = D < first + kStretch ? D : first + kStretch;
    V sum[2] = {};
    int64_t d = first;
    for (; d + 2 <= end; d += 2) sum[0] += term(d), sum[1] += term(d + 1);
    if (d < end) sum[0] += term(d);
    total.add(sum[0] + sum[1]);
  }
  return total;
}

/// result[lane] = f(lane, total of that lane).
template <class F>
[[gnu::always_inline]] inline V each_lane(const LaneDoubles& totals, const F& f) {
  double lanes[kLanes];
  totals.to(lanes);
  float result[kLanes];
  for (int i = 0; i < kLanes; ++i) result[i] = float(f(i, lanes[i]));
  return load(result);
}

void forward(const float* x, int64_t D, const float* scale, const float* shift, double epsilon, float* y,
             float* mean, float* inverse) {
  const V centre = each_lane(sum_over(D, [=](int64_t d) { return load(x + d * kLanes); }),
                             [=](int, double sum) { return sum / double(D); });
  const LaneDoubles squares = sum_over(D, [=](int64_t d) {
    const V distance = load(x + d * kLanes) - centre;
    return distance * distance;
  });
  const V factor =
      each_lane(squares, [=](int, double sum) { return 1 / __builtin_sqrt(sum / double(D) + epsilon); });
  for (int64_t d = 0; d < D; ++d)
    store<float>(y + d * kLanes, (load(x + d * kLanes) - centre) * factor * scale[d] + shift[d]);
  store<float>(mean, centre);
  store<float>(inverse, factor);
}

void backward(const float* dy, const float* x, int64_t D, const float* scale, const float* mean,
              const float* inverse, int64_t samples, float* dx, float* scale_sums, float* shift_sums) {
  const V centre = load(mean), factor = load(inverse);
  const Bits real = real_lanes(samples);
  const auto scaled = [=](int64_t d) { return load(dy + d * kLanes) * scale[d]; };
  const auto distance = [=](int64_t d) { return load(x + d * kLanes) - centre; };
  const V g_mean = each_lane(sum_over(D, scaled), [=](int, double sum) { return sum / double(D); });
  const V slope =
      each_lane(sum_over(D, [=](int64_t d) { return scaled(d) * distance(d); }), [=](int lane, double sum) {
        const double of_lane = double(inverse[lane]);
        return sum * of_lane * of_lane / double(D);
      });
  for (int64_t d = 0; d < D; ++d) {
    const V g = load(dy + d * kLanes), far = distance(d);
    const int64_t at = d * kLanes;
    store<float>(scale_sums + at, load(scale_sums + at) + V(Bits(g * (far * factor)) & real));
    store<float>(shift_sums + at, load(shift_sums + at) + V(Bits(g) & real));
    store<float>(dx + at, (g * scale[d] - g_mean - far * slope) * factor);
  }
}

void lane_totals(const float* sums, int64_t D, float* totals) {
  for (int64_t d = 0; d < D; ++d) totals[d] = lane_sum<float>(load(sums + d * kLanes));
}

}  // namespace

extern const uncial::cpu::LaneLayerNormSimd lane_layer_norm_simd = {kLanes, forward, backward, lane_totals};

}  // namespace UNCIAL_SIMD
