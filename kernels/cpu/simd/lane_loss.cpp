// The exponentials dominate: some 20 instructions a vector. The polynomials of math.h are written for one
// number, and a loop over the lanes of one vector becomes the vector code of them.

#include "lane_loss.h"

#include "lane_doubles.h"
#include "lanes.h"
#include "uncial/kernels/math.h"

namespace UNCIAL_SIMD {
namespace {

namespace math = uncial::math;
using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;

[[gnu::always_inline]] inline V exp(const V& x) {
  float lanes[kLanes];
  store(lanes, x);
  for (int i = 0; i < kLanes; ++i) lanes[i] = math::exp(lanes[i]);
  return load(lanes);
}

[[gnu::always_inline]] inline V largest(const float* x, int64_t classes) {
  V most = load(x);
  for (int64_t k = 1; k < classes; ++k) {
    const V v = load(x + k * kLanes);
    most = most < v ? v : most;
  }
  return most;
}

/// y[k] = e^(x[k] - most); `sums` are those of each lane.
[[gnu::always_inline]] inline void exponentials(const float* x, int64_t classes, const V& most, float* y,
                                                double* sums) {
  LaneDoubles total;  // float lanes would lose digits over a thousand classes
  for (int64_t k = 0; k < classes; ++k) {
    const V e = exp(load(x + k * kLanes) - most);
    total.add(e);
    store(y + k * kLanes, e);
  }
  total.to(sums);
}

[[gnu::always_inline]] inline V reciprocals(const double* sums) {
  float inverse[kLanes];
  for (int i = 0; i < kLanes; ++i) inverse[i] = float(1 / sums[i]);
  return load(inverse);
}

void softmax(const float* x, int64_t classes, float* y) {
  double sums[kLanes];
  exponentials(x, classes, largest(x, classes), y, sums);
  const V scale = reciprocals(sums);
  for (int64_t k = 0; k < classes; ++k) store(y + k * kLanes, load(y + k * kLanes) * scale);
}

/// How far each lane's logits lie below their largest on average.
[[gnu::always_inline]] inline void mean_distance(const float* logits, int64_t classes, const V& most,
                                                 double* mean) {
  LaneDoubles total;
  for (int64_t k = 0; k < classes; ++k) total.add(most - load(logits + k * kLanes));
  total.to(mean);
  for (int i = 0; i < kLanes; ++i) mean[i] /= double(classes);
}

void cross_entropy(const float* logits, int64_t classes, const int64_t* labels, const float* weights,
                   double smoothing, int64_t samples, double* losses, float* gradient) {
  typedef int32_t I __attribute__((vector_size(kVectorBytes)));
  const V most = largest(logits, classes);
  double sums[kLanes], mean[kLanes] = {};
  float below[kLanes] = {}, factors[kLanes] = {};  // how far the label's logit lies below the largest
  I label = {}, real = {};
  for (int i = 0; i < samples; ++i) {
    label[i] = int32_t(labels[i]);
    real[i] = -1;
    factors[i] = weights[i];
    below[i] = most[i] - logits[labels[i] * kLanes + i];
  }
  if (smoothing != 0) mean_distance(logits, classes, most, mean);
  exponentials(logits, classes, most, gradient, sums);

  // log(sum) = log1p(sum - 1): the largest logit contributes exactly 1, and what the others add keeps its
  // digits when it is tiny. Without smoothing the mean must stay out: another logit may be -infinity.
  float logs[kLanes];
  for (int i = 0; i < kLanes; ++i) logs[i] = math::log1p(float(sums[i] - 1));
  for (int i = 0; i < samples; ++i) {
    double loss = double(below[i]);
    if (smoothing != 0) loss = (1 - smoothing) * loss + smoothing * mean[i];
    losses[i] = (double(logs[i]) + loss) * double(factors[i]);
  }

  const V scale = reciprocals(sums), factor = load(factors), hit = V{} + float(1 - smoothing);
  const float share = float(smoothing / double(classes));
  for (int64_t k = 0; k < classes; ++k) {
    const V target = (label == int32_t(k) ? hit : V{}) + share;
    const V slope = (load(gradient + k * kLanes) * scale - target) * factor;
    store(gradient + k * kLanes, real ? slope : V{});
  }
}

}  // namespace

extern const uncial::cpu::LaneLossSimd lane_loss_simd = {kLanes, cross_entropy, softmax};

}  // namespace UNCIAL_SIMD
