// Places and mixes of every instruction set are those of the formulas, to the bit.
#include <tuple>
#include <vector>

#include "simd/resample.h"
#include "support/catch.h"
#include "support/isas.h"
#include "uncial/core/random.h"
#include "uncial/kernels/affine_formula.h"

using namespace uncial;
using kernels::AffineMap;

namespace {

constexpr int32_t kGuard = -1234567;

/// Wide draws: half a turn, zoom and shear to their limits, shifts of a side.
AffineMap random_map(uint64_t seed, int64_t H, int64_t W) {
  const auto a = RandomStream(seed, Purpose::augment, 0, 0).block(0),
             b = RandomStream(seed, Purpose::augment, 0, 0).block(1);
  const kernels::AffineRanges ranges{kernels::to_fixed(0.5, 32), kernels::to_fixed(0.9, 32),
                                     kernels::to_fixed(1.0, 32), kernels::to_fixed(80.0 / 360, 32)};
  return kernels::affine_map(ranges, {a[0], a[1], a[2], a[3], b[0]}, H, W);
}

using Place = std::tuple<int32_t, int32_t, int32_t>;

Place place_of(kernels::SourcePoint p, int64_t stride) {
  constexpr int32_t kFraction = (1 << kernels::kPointBits) - 1;
  return {int32_t(((p.y >> kernels::kPointBits) + 1) * stride + (p.x >> kernels::kPointBits) + 1),
          p.x & kFraction, p.y & kFraction};
}

}  // namespace

TEST_CASE("affine places are those of the formula", "[kernels]") {
  test::for_each_isa([](const std::string& isa) {
    INFO(isa);
    for (const auto& [H, W] : {std::pair<int64_t, int64_t>{28, 28}, {1, 1}, {5, 3}, {9, 33}, {2, 32768}})
      for (uint64_t seed = 0; seed < 40; ++seed) {
        const AffineMap m = random_map(seed, H, W);
        const int64_t stride = W + 3;
        std::vector<int32_t> corner(size_t(H * W + cpu::kResampleSlack + 1), kGuard), right = corner,
                                                                                      below = corner;
        cpu::resample_simd().affine_places({m.x0, m.xx, m.xy, m.y0, m.yx, m.yy}, H, W, stride,
                                           {corner.data(), right.data(), below.data()});
        int64_t wrong = 0;
        for (int64_t i = 0; i < H * W; ++i) {
          const Place expected = place_of(kernels::affine_source(m, i % W, i / W, H, W), stride);
          wrong += Place{corner[size_t(i)], right[size_t(i)], below[size_t(i)]} != expected;
        }
        CHECK(wrong == 0);
        for (const auto* values : {&corner, &right, &below}) CHECK(values->back() == kGuard);
      }
  });
}

TEST_CASE("a sampled pixel is the bilinear mix of its four neighbours", "[kernels]") {
  constexpr int64_t H = 6, W = 9, kStride = W + 3, kOne = 1 << kernels::kPointBits;
  test::for_each_isa([](const std::string& isa) {
    INFO(isa);
    std::vector<float> plane(size_t((H + 3) * kStride));  // a read beyond it is seen by the address sanitizer
    for (size_t i = 0; i < plane.size(); ++i)
      plane[i] = float(RandomStream(1, Purpose::augment, 0, i).block(0)[0]) / 7;
    for (int64_t n = 0; n < 40; ++n) {
      std::vector<kernels::SourcePoint> points;
      for (int64_t i = 0; i < n; ++i) {
        const auto words = RandomStream(2, Purpose::augment, uint64_t(n), uint64_t(i)).block(0);
        points.push_back({int32_t(words[0] % ((W + 1) * kOne + 1)) - int32_t(kOne),
                          int32_t(words[1] % ((H + 1) * kOne + 1)) - int32_t(kOne)});
      }
      if (n > 1)
        points[0] = {-kOne, -kOne}, points[1] = {W * kOne, H * kOne};  // the corners of what is allowed
      std::vector<int32_t> corner, right, below;
      for (const auto& p : points) {
        const auto [c, r, b] = place_of(p, kStride);
        corner.push_back(c), right.push_back(r), below.push_back(b);
      }
      std::vector<float> out(size_t(n) + 1, float(kGuard));
      cpu::resample_simd().sample(plane.data(), kStride, {corner.data(), right.data(), below.data()}, n,
                                  out.data());
      int64_t wrong = 0;
      for (size_t i = 0; i < points.size(); ++i) {
        const float* at = &plane[size_t(corner[i])];
        wrong += out[i] != kernels::bilinear(points[i], at[0], at[1], at[kStride], at[kStride + 1]);
      }
      CHECK(wrong == 0);
      CHECK(out.back() == float(kGuard));
    }
  });
}
