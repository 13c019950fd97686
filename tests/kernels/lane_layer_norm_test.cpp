#include "simd/lane_layer_norm.h"

#include <cmath>

#include "kernels/guarded.h"
#include "support/isas.h"

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Integers;
using test::for_each_isa;

constexpr double kEpsilon = 1e-3;

/// One row of a group in double: its values, statistics and parameters.
struct Row {
  int64_t D, lanes, lane;
  const Floats &x, &scale;

  double at(const Floats& m, int64_t d) const { return double(m[d * lanes + lane]); }
  template <class Term>
  double mean_of(const Term& term) const {
    double sum = 0;
    for (int64_t d = 0; d < D; ++d) sum += term(d);
    return sum / double(D);
  }
  double mean() const {
    return mean_of([&](int64_t d) { return at(x, d); });
  }
  double inverse() const {
    const double m = mean();
    return 1 / std::sqrt(mean_of([&](int64_t d) { return (at(x, d) - m) * (at(x, d) - m); }) + kEpsilon);
  }
};

/// Matrices [D][lanes] of which lanes from `samples` on hold NaNs.
void fill(const Floats& m, int64_t lanes, int64_t samples, Integers& next) {
  for (int64_t i = 0; i < m.size(); ++i)
    if (i % lanes < samples) m[i] = next(100) * 0.02f + float(i / lanes % 3);
}

template <class Body>
void for_each_case(const Body& body) {
  for_each_isa([&](const std::string&) {
    Integers next;
    const LaneLayerNormSimd& simd = lane_layer_norm_simd();
    for (const int64_t D : {1, 2, 7, 255, 256, 600})
      for (const int64_t samples : {1, simd.lanes / 2 + 1, simd.lanes}) {
        CAPTURE(D, samples);
        const Floats x(D * simd.lanes), scale(D);
        fill(x, simd.lanes, samples, next);
        scale.fill(next);
        body(simd, D, samples, x, scale, next);
      }
  });
}

void check_near(double got, double expected, int64_t& wrong) {
  wrong += !(std::abs(got - expected) <= 2e-5 * (1 + std::abs(expected)));
}

TEST_CASE("layer norm with the batch in the lanes: each lane has its own statistics") {
  for_each_case([](const LaneLayerNormSimd& simd, int64_t D, int64_t samples, const Floats& x,
                   const Floats& scale, Integers& next) {
    const Floats shift(D), y(D * simd.lanes), mean(simd.lanes), inverse(simd.lanes);
    shift.fill(next);
    simd.forward(x.data(), D, scale.data(), shift.data(), kEpsilon, y.data(), mean.data(), inverse.data());
    int64_t wrong = 0;
    for (int64_t lane = 0; lane < samples; ++lane) {
      const Row row{D, simd.lanes, lane, x, scale};
      check_near(double(mean[lane]), row.mean(), wrong);
      check_near(double(inverse[lane]), row.inverse(), wrong);
      for (int64_t d = 0; d < D; ++d)
        check_near(row.at(y, d),
                   (row.at(x, d) - row.mean()) * row.inverse() * double(scale[d]) + double(shift[d]), wrong);
    }
    CHECK(wrong == 0);
    for (const Floats* m : {&y, &mean, &inverse}) CHECK(m->margins_untouched());
  });
}

TEST_CASE("its gradients follow their formula, and sums leave out lanes without a sample") {
  for_each_case([](const LaneLayerNormSimd& simd, int64_t D, int64_t samples, const Floats& x,
                   const Floats& scale, Integers& next) {
    const int64_t size = D * simd.lanes;
    const Floats dy(size), dx(size), scale_sums(size), shift_sums(size), mean(simd.lanes),
        inverse(simd.lanes), totals(D);
    fill(dy, simd.lanes, samples, next);
    for (int64_t i = 0; i < size; ++i) scale_sums[i] = 1, shift_sums[i] = 2;
    for (int64_t lane = 0; lane < simd.lanes; ++lane) {
      const Row row{D, simd.lanes, lane, x, scale};
      mean[lane] = float(row.mean()), inverse[lane] = float(row.inverse());
    }
    simd.backward(dy.data(), x.data(), D, scale.data(), mean.data(), inverse.data(), samples, dx.data(),
                  scale_sums.data(), shift_sums.data());
    int64_t wrong = 0;
    for (int64_t lane = 0; lane < simd.lanes; ++lane) {
      if (lane >= samples) {
        for (int64_t d = 0; d < D; ++d)
          wrong += scale_sums[d * simd.lanes + lane] != 1 || shift_sums[d * simd.lanes + lane] != 2;
        continue;
      }
      const Row row{D, simd.lanes, lane, x, scale};
      const double m = row.mean(), inv = row.inverse();
      const auto h = [&](int64_t d) { return (row.at(x, d) - m) * inv; };
      const auto g = [&](int64_t d) { return row.at(dy, d) * double(scale[d]); };
      const double g_mean = row.mean_of(g), g_h = row.mean_of([&](int64_t d) { return g(d) * h(d); });
      for (int64_t d = 0; d < D; ++d) {
        wrong += !(std::abs(row.at(dx, d) - (g(d) - g_mean - h(d) * g_h) * inv) <= 2e-4 * (1 + inv));
        check_near(row.at(scale_sums, d), 1 + row.at(dy, d) * h(d), wrong);
        check_near(row.at(shift_sums, d), 2 + row.at(dy, d), wrong);
      }
    }
    CHECK(wrong == 0);
    simd.lane_totals(shift_sums.data(), D, totals.data());
    double expected = 0;
    for (int64_t lane = 0; lane < simd.lanes; ++lane) expected += double(shift_sums[lane]);
    CHECK(double(totals[0]) == Approx(expected).epsilon(1e-5).margin(1e-4));
    for (const Floats* matrix : {&dx, &scale_sums, &shift_sums, &totals}) CHECK(matrix->margins_untouched());
  });
}

}  // namespace
}  // namespace uncial::cpu
