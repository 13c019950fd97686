// Rounding to bfloat16, against the conversion of core/dtype.h.
#include <bit>
#include <cmath>

#include "guarded.h"
#include "simd/bfloat16_run.h"
#include "support/isas.h"
#include "uncial/core/dtype.h"

using uncial::cpu::bfloat16_simd;

namespace {

float bits(uint32_t u) { return std::bit_cast<float>(u); }

/// The same bits, or both NaN.
bool agrees(float rounded, float x) {
  const uint32_t u = std::bit_cast<uint32_t>(rounded);
  if ((u & 0xffffu) != 0) return false;
  if (std::isnan(x)) return std::isnan(rounded);
  const bool denormal = (std::bit_cast<uint32_t>(x) & 0x7f800000u) == 0;
  const float expected = denormal ? std::copysign(0.0f, x) : float(uncial::bfloat16(x));
  return u == std::bit_cast<uint32_t>(expected);
}

}  // namespace

TEST_CASE(
    "rounding to bfloat16 is to nearest, ties to even, for every sign, exponent and upper significand") {
  uncial::test::for_each_isa([](const std::string& isa) {
    INFO(isa);
    constexpr uint32_t kLower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    const guarded::Floats x(6 << 16), y(6 << 16);
    for (uint32_t upper = 0; upper < 1u << 16; ++upper)
      for (uint32_t i = 0; i < 6; ++i) x[6 * upper + i] = bits(upper << 16 | kLower[i]);
    bfloat16_simd().round(x.data(), 1, y.data(), x.size());
    int64_t wrong = 0;
    for (int64_t i = 0; i < x.size(); ++i) wrong += !agrees(y[i], x[i]);
    CHECK(wrong == 0);
    CHECK(y.margins_untouched());
    bfloat16_simd().round(x.data(), 1, x.data(), x.size());  // in place
    for (int64_t i = 0; i < x.size(); ++i)
      wrong += std::bit_cast<uint32_t>(x[i]) != std::bit_cast<uint32_t>(y[i]);
    CHECK(wrong == 0);
  });
}

TEST_CASE("rounding to bfloat16: known values") {
  uncial::test::for_each_isa([](const std::string& isa) {
    INFO(isa);
    const auto round = [](float x) {
      float y = 0;
      bfloat16_simd().round(&x, 1, &y, 1);
      return y;
    };
    CHECK(round(257) == 256);  // ties
    CHECK(round(259) == 260);
    CHECK(round(1 + 0x1p-8f + 0x1p-20f) == 1 + 0x1p-7f);
    CHECK(round(-3.140625f) == -3.140625f);
    CHECK(round(bits(0x7f7fffff)) == INFINITY);  // the largest float32 is nearer to 2^128
    CHECK(round(-INFINITY) == -INFINITY);
    CHECK(std::isnan(round(bits(0x7f800001))));  // whose set bits are all below the upper half
    CHECK(round(0x1p-126f) == 0x1p-126f);
    CHECK(round(bits(0x007fffff)) == 0);  // a denormal
    CHECK(std::signbit(round(-0.0f)));
  });
}

TEST_CASE("rounding to bfloat16 writes as many values as asked for, multiplied first") {
  uncial::test::for_each_isa([](const std::string& isa) {
    INFO(isa);
    guarded::Integers next(3);
    for (int64_t size = 0; size <= 70; ++size) {
      const guarded::Floats x(size), y(size);
      for (int64_t i = 0; i < size; ++i) x[i] = next(2000);
      bfloat16_simd().round(x.data(), 1.25f, y.data(), size);
      int64_t wrong = 0;
      for (int64_t i = 0; i < size; ++i) wrong += !agrees(y[i], 1.25f * x[i]);
      CHECK(wrong == 0);
      CHECK(x.margins_untouched());
      CHECK(y.margins_untouched());
    }
  });
}
