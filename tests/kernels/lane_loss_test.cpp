#include "simd/lane_loss.h"

#include <cmath>
#include <limits>

#include "kernels/guarded.h"
#include "support/isas.h"

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Integers;
using test::for_each_isa;

constexpr double kInf = std::numeric_limits<double>::infinity();

/// Softmax and its loss for one lane, in double.
struct Reference {
  std::vector<double> softmax;
  double loss;
  Reference(const Floats& x, int64_t lanes, int64_t classes, int64_t lane, int64_t label, double smoothing) {
    double most = -kInf, sum = 0, mean = 0;
    const auto logit = [&](int64_t k) { return double(x[k * lanes + lane]); };
    for (int64_t k = 0; k < classes; ++k) most = std::max(most, logit(k));
    for (int64_t k = 0; k < classes; ++k) sum += std::exp(logit(k) - most);
    for (int64_t k = 0; k < classes; ++k) softmax.push_back(std::exp(logit(k) - most) / sum);
    const double log_sum = most + std::log(sum);
    loss = log_sum - logit(label);
    if (smoothing == 0) return;
    for (int64_t k = 0; k < classes; ++k) mean += (log_sum - logit(k)) / double(classes);
    loss = (1 - smoothing) * loss + smoothing * mean;
  }
};

/// Logits of one group, of size about `scale`; labels and weights for its `samples`.
struct Problem {
  int64_t lanes, classes, samples;
  Floats logits, weights;
  std::vector<int64_t> labels;
  Problem(int64_t lanes, int64_t classes, int64_t samples, float scale, Integers& next)
      : lanes(lanes), classes(classes), samples(samples), logits(classes * lanes), weights(samples) {
    for (int64_t i = 0; i < logits.size(); ++i)
      logits[i] = i % lanes < samples ? next(1000) * 0.001f * scale : guarded::guard();
    for (int64_t i = 0; i < samples; ++i) {
      labels.push_back(int64_t(next(500) + 500) % classes);
      weights[i] = (next() + 5) * 0.01f;
    }
  }
};

/// Compares losses and gradient of a problem with double arithmetic.
void check(const Problem& p, double smoothing) {
  const Floats gradient(p.logits.size());
  std::vector<double> losses(size_t(p.samples) + 1, -7);
  lane_loss_simd().cross_entropy(p.logits.data(), p.classes, p.labels.data(), p.weights.data(), smoothing,
                                 p.samples, losses.data(), gradient.data());
  int64_t wrong = 0;
  for (int64_t i = 0; i < p.lanes; ++i) {
    if (i >= p.samples) {
      for (int64_t k = 0; k < p.classes; ++k) wrong += gradient[k * p.lanes + i] != 0;
      continue;
    }
    const int64_t label = p.labels[size_t(i)];
    const Reference expected(p.logits, p.lanes, p.classes, i, label, smoothing);
    const double weight = double(p.weights[i]);
    CHECK(losses[size_t(i)] == Approx(expected.loss * weight).epsilon(1e-6).margin(1e-12));
    for (int64_t k = 0; k < p.classes; ++k) {
      const double target = (k == label ? 1 - smoothing : 0) + smoothing / double(p.classes);
      const double slope = (expected.softmax[size_t(k)] - target) * weight;
      wrong += !(std::abs(double(gradient[k * p.lanes + i]) - slope) <= 1e-6 * weight);
    }
  }
  CHECK(wrong == 0);
  CHECK(losses.back() == -7);
  CHECK(gradient.margins_untouched());
}

TEST_CASE("cross_entropy agrees with double arithmetic") {
  for_each_isa([](const std::string&) {
    Integers next;
    const int64_t lanes = lane_loss_simd().lanes;
    for (const int64_t classes : {1, 2, 10, 1000})
      for (const int64_t samples : {int64_t(1), lanes / 2 + 1, lanes})
        for (const float scale : {1.0f, 30.0f, 200.0f})
          for (const double smoothing : {0.0, 0.1}) {
            CAPTURE(classes, samples, scale, smoothing);
            check(Problem(lanes, classes, samples, scale, next), smoothing);
          }
  });
}

TEST_CASE("cross_entropy: a tiny loss keeps its digits") {
  for_each_isa([](const std::string&) {
    Integers next;
    Problem p(lane_loss_simd().lanes, 3, lane_loss_simd().lanes, 1, next);
    for (int64_t i = 0; i < p.lanes; ++i) {
      for (int64_t k = 0; k < 3; ++k) p.logits[k * p.lanes + i] = 0;
      p.logits[p.labels[size_t(i)] * p.lanes + i] = 18;  // loss 3e-8: below half an ulp of 1
    }
    check(p, 0);
  });
}

TEST_CASE("cross_entropy without smoothing bears -infinity at other classes") {
  for_each_isa([](const std::string&) {
    Integers next;
    Problem p(lane_loss_simd().lanes, 10, lane_loss_simd().lanes, 3, next);
    for (int64_t i = 0; i < p.lanes; ++i)
      p.logits[(p.labels[size_t(i)] + 1 + i % 9) % 10 * p.lanes + i] = -float(kInf);
    check(p, 0);
  });
}

TEST_CASE(
    "cross_entropy: NaN and +infinity give NaN in their own lane only; the gradient may be the logits") {
  for_each_isa([](const std::string&) {
    Integers next;
    const LaneLossSimd& loss = lane_loss_simd();
    Problem p(loss.lanes, 10, loss.lanes, 3, next);
    p.logits[3 * p.lanes] = std::numeric_limits<float>::quiet_NaN();
    p.logits[4 * p.lanes + 1] = float(kInf);
    std::vector<double> losses(size_t(p.lanes)), again(losses);
    const Floats gradient(p.logits.size());
    loss.cross_entropy(p.logits.data(), 10, p.labels.data(), p.weights.data(), 0, p.lanes, losses.data(),
                       gradient.data());
    for (int64_t i = 0; i < p.lanes; ++i) CHECK(std::isnan(losses[size_t(i)]) == (i < 2));
    for (int64_t i = 0; i < p.lanes; ++i) CHECK(std::isnan(gradient[9 * p.lanes + i]) == (i < 2));
    loss.cross_entropy(p.logits.data(), 10, p.labels.data(), p.weights.data(), 0, p.lanes, again.data(),
                       p.logits.data());
    for (size_t i = 2; i < losses.size(); ++i) CHECK(losses[i] == again[i]);
    for (int64_t i = 0; i < gradient.size(); ++i)
      if (i % p.lanes >= 2) CHECK(gradient[i] == p.logits[i]);
  });
}

TEST_CASE("softmax agrees with double arithmetic, in place too") {
  for_each_isa([](const std::string&) {
    Integers next;
    const LaneLossSimd& loss = lane_loss_simd();
    for (const int64_t classes : {1, 10, 333})
      for (const float scale : {1.0f, 100.0f}) {
        const Problem p(loss.lanes, classes, loss.lanes, scale, next);
        const Floats y(p.logits.size());
        loss.softmax(p.logits.data(), classes, y.data());
        int64_t wrong = 0;
        for (int64_t i = 0; i < p.lanes; ++i) {
          const Reference expected(p.logits, p.lanes, classes, i, 0, 0);
          for (int64_t k = 0; k < classes; ++k)
            wrong += !(std::abs(double(y[k * p.lanes + i]) - expected.softmax[size_t(k)]) <= 3e-7);
        }
        CHECK(wrong == 0);
        CHECK(y.margins_untouched());
        loss.softmax(p.logits.data(), classes, p.logits.data());
        for (int64_t i = 0; i < y.size(); ++i) wrong += y[i] != p.logits[i];
        CHECK(wrong == 0);
      }
  });
}

}  // namespace
}  // namespace uncial::cpu
