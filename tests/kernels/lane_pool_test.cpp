#include "simd/lane_pool.h"

#include <limits>

#include "kernels/guarded.h"
#include "support/isas.h"
#include "uncial/kernels/pool.h"

namespace uncial::cpu {
namespace {

using guarded::Image;
using guarded::Integers;
using test::for_each_isa;

struct Case {
  int64_t C, H, W;
  LanePoolShape pool;
};
const Case kCases[] = {{3, 4, 6, {2, 2, 0}}, {2, 7, 5, {2, 2, 0}}, {1, 26, 26, {2, 2, 0}},
                       {2, 9, 8, {3, 2, 1}}, {2, 7, 7, {7, 7, 0}}, {1, 6, 9, {3, 1, 1}},
                       {2, 5, 6, {2, 3, 0}}, {1, 8, 7, {4, 2, 2}}, {1, 1, 1, {2, 1, 1}},
                       {3, 5, 5, {1, 2, 0}}};

int64_t out(int64_t extent, const LanePoolShape& s) {
  return (extent + 2 * s.padding - s.kernel) / s.stride + 1;
}

/// The planes of one lane, row-major: what the reference kernels read and write.
std::vector<float> planes(const Image& x, int64_t lane) {
  std::vector<float> all;
  x.each([&](int64_t c, int64_t h, int64_t w, int64_t l) {
    if (l == lane) all.push_back(x.at(c, h, w, l));
  });
  return all;
}

bool same(float a, float b) { return a == b || (a != a && b != b); }

/// Whether each lane of `found` is near what reference(lane, planes) fills in.
template <class Reference>
int64_t differences(const Image& found, int lanes, double tolerance, const Reference& reference) {
  int64_t wrong = 0;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    const std::vector<float> values = planes(found, lane);
    std::vector<float> expected(values.size());
    reference(lane, expected.data());
    for (size_t i = 0; i < values.size(); ++i)
      wrong += !same(values[i], expected[i]) && !(std::abs(values[i] - expected[i]) <= tolerance);
  }
  return wrong;
}

/// Calls body(extents, pool, x, image like y) for all cases; x has ties, infinities and NaN.
template <class Body>
void for_each_case(const Body& body) {
  for_each_isa([&](const std::string&) {
    const int lanes = lane_pool_simd().lanes;
    Integers next;
    for (const Case& k : kCases) {
      const int64_t P = out(k.H, k.pool), Q = out(k.W, k.pool);
      const Image x(lanes, k.C, k.H, k.W, 2), y(lanes, k.C, P, Q, 1);
      x.fill(next), y.fill(next);
      CAPTURE(k.H, k.W, k.pool.kernel, k.pool.stride, k.pool.padding);
      body(PoolExtents{k.C, k.H, k.W, P, Q, k.pool.kernel, k.pool.stride, k.pool.padding}, k.pool, x, y);
      CHECK(x.halo_untouched());
      CHECK(y.halo_untouched());
    }
  });
}

void add_specials(const Image& x) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInf = std::numeric_limits<float>::infinity();
  Integers next(7);
  x.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
    const float special[] = {kNan, kNan, kInf, -kInf, -0.0f};
    const int pick = int(next(40)) + 40;
    if (pick < 5) x.at(c, h, w, lane) = special[pick];
  });
}

TEST_CASE("max_pool equals the row-major kernel in every lane") {
  for_each_case([](const PoolExtents& e, const LanePoolShape& pool, const Image& x, const Image& y) {
    add_specials(x);
    const LanePoolSimd& simd = lane_pool_simd();
    simd.max_pool(x.view(), pool, y.view());
    CHECK(differences(y, simd.lanes, 0, [&](int64_t lane, float* expected) {
            cpu::max_pool<float>(planes(x, lane).data(), expected, e);
          }) == 0);
  });
}

TEST_CASE("max_pool_gradient equals the row-major kernel in every lane") {
  for_each_case([](const PoolExtents& e, const LanePoolShape& pool, const Image& x, const Image& dy) {
    add_specials(x);
    const LanePoolSimd& simd = lane_pool_simd();
    const Image dx(simd.lanes, e.planes, e.H, e.W, 1);
    simd.max_pool_gradient(dy.view(), x.view(), pool, dx.view());
    CHECK(differences(dx, simd.lanes, 0, [&](int64_t lane, float* expected) {
            cpu::max_pool_scatter<float>(planes(dy, lane).data(), planes(x, lane).data(), expected, e);
          }) == 0);
    CHECK(dx.halo_untouched());
  });
}

TEST_CASE("average_pool is near the row-major kernel in every lane") {
  for_each_case([](const PoolExtents& e, const LanePoolShape& pool, const Image& x, const Image& y) {
    const LanePoolSimd& simd = lane_pool_simd();
    simd.average_pool(x.view(), pool, y.view());
    CHECK(differences(y, simd.lanes, 1e-6, [&](int64_t lane, float* expected) {
            cpu::avg_pool<float>(planes(x, lane).data(), expected, e);
          }) == 0);
  });
}

TEST_CASE("average_pool_gradient is near the row-major kernel in every lane") {
  for_each_case([](const PoolExtents& e, const LanePoolShape& pool, const Image&, const Image& dy) {
    const LanePoolSimd& simd = lane_pool_simd();
    const Image dx(simd.lanes, e.planes, e.H, e.W, 1);
    simd.average_pool_gradient(dy.view(), pool, dx.view());
    CHECK(differences(dx, simd.lanes, 1e-6, [&](int64_t lane, float* expected) {
            cpu::avg_pool_backward<float>(planes(dy, lane).data(), expected, e);
          }) == 0);
    CHECK(dx.halo_untouched());
  });
}

TEST_CASE("pixel_sums are exact for integers, and spread fills each channel's pixels") {
  for_each_isa([](const std::string&) {
    const LanePoolSimd& simd = lane_pool_simd();
    Integers next;
    for (const Case& k : kCases)
      for (const int64_t halo : {0, 2}) {
        CAPTURE(k.C, k.H, k.W, halo);
        const Image x(simd.lanes, k.C, k.H, k.W, halo), y(simd.lanes, k.C, 1, 1, 1),
            filled(simd.lanes, k.C, k.H, k.W, halo);
        x.fill(next);
        std::vector<float> sums(size_t(k.C * simd.lanes));
        x.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
          sums[size_t(c * simd.lanes + lane)] += x.at(c, h, w, lane);
        });
        simd.pixel_sums(x.view(), y.view());
        simd.spread(y.view(), filled.view());
        int64_t wrong = 0;
        filled.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
          wrong += filled.at(c, h, w, lane) != sums[size_t(c * simd.lanes + lane)];
        });
        CHECK(wrong == 0);
        for (const Image* image : {&x, &y, &filled}) CHECK(image->halo_untouched());
      }
  });
}

}  // namespace
}  // namespace uncial::cpu
