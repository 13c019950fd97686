// Rounding to bfloat16, against the conversion of core/dtype.h, and to float16, against all of its values.
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "guarded.h"
#include "simd/rounding_run.h"
#include "support/isas.h"
#include "uncial/core/dtype.h"
#include "uncial/kernels/float16_formula.h"

using uncial::cpu::rounding_simd;

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
    rounding_simd().bfloat16(x.data(), 1, y.data(), x.size());
    int64_t wrong = 0;
    for (int64_t i = 0; i < x.size(); ++i) wrong += !agrees(y[i], x[i]);
    CHECK(wrong == 0);
    CHECK(y.margins_untouched());
    rounding_simd().bfloat16(x.data(), 1, x.data(), x.size());  // in place
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
      rounding_simd().bfloat16(&x, 1, &y, 1);
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
      rounding_simd().bfloat16(x.data(), 1.25f, y.data(), size);
      int64_t wrong = 0;
      for (int64_t i = 0; i < size; ++i) wrong += !agrees(y[i], 1.25f * x[i]);
      CHECK(wrong == 0);
      CHECK(x.margins_untouched());
      CHECK(y.margins_untouched());
    }
  });
}

namespace {

/// The value of the bits of a float16 that is no NaN, by its definition; 2^16 in the place of infinity, which
/// is where the next number would be.
double float16(uint32_t bits) {
  const int exponent = int(bits >> 10 & 31), fraction = int(bits & 1023);
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -size : size;
}

/// {x, what it is rounded to} for all float16 numbers, the middles between neighbours, and float32 numbers
/// next to those.
std::vector<std::pair<float, float>> float16_cases() {
  std::vector<std::pair<float, float>> all;
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto low = float(float16(bits)), above = float(float16(bits + 1)), middle = (low + above) / 2;
    const float high = bits + 1 == 0x7c00 ? INFINITY : above, even = bits % 2 == 0 ? low : high;
    for (const auto& [x, y] : {std::pair(low, low),
                               {std::nextafter(middle, 0.0f), low},
                               {middle, even},
                               {std::nextafter(middle, INFINITY), high},
                               {std::nextafter(above, 0.0f), high}})
      all.insert(all.end(), {{x, y}, {-x, -y}});
  }
  return all;
}

}  // namespace

TEST_CASE("rounding to float16 is to nearest, ties to even, between all neighbours") {
  const std::vector<std::pair<float, float>> cases = float16_cases();
  uncial::test::for_each_isa([&](const std::string& isa) {
    INFO(isa);
    const guarded::Floats x(int64_t(cases.size())), y(x.size());
    for (int64_t i = 0; i < x.size(); ++i) x[i] = cases[size_t(i)].first;
    rounding_simd().float16(x.data(), 1, y.data(), x.size());
    int64_t wrong = 0;
    for (int64_t i = 0; i < x.size(); ++i)
      wrong += std::bit_cast<uint32_t>(y[i]) != std::bit_cast<uint32_t>(cases[size_t(i)].second);
    CHECK(wrong == 0);
    CHECK(y.margins_untouched());
    rounding_simd().float16(x.data(), 0.5f, x.data(), x.size());  // in place, multiplied first
    for (int64_t i = 0; i < x.size(); ++i)
      wrong += x[i] != uncial::formula::rounded_to_float16(0.5f * cases[size_t(i)].first);
    CHECK(wrong == 0);
  });
}

TEST_CASE("rounding to float16: the ends of the range, and what is no number") {
  uncial::test::for_each_isa([](const std::string& isa) {
    INFO(isa);
    const auto round = [](float x) {
      float y = 0;
      rounding_simd().float16(&x, 1, &y, 1);
      return y;
    };
    CHECK(round(65504) == 65504);
    CHECK(round(65519.996f) == 65504);
    CHECK(round(65520) == INFINITY);
    CHECK(round(-3e38f) == -INFINITY);
    CHECK(round(0x1p-24f) == 0x1p-24f);
    CHECK(round(0x1p-25f) == 0);
    CHECK(std::signbit(round(-1e-30f)));
    CHECK(std::signbit(round(-0.0f)));
    CHECK(round(bits(0x007fffff)) == 0);  // a denormal of float32
    CHECK(std::isnan(round(bits(0x7f800001))));
    CHECK(std::isnan(round(-NAN)));
  });
}

TEST_CASE("the bits of a float16 and its value belong together") {
  using uncial::formula::float16_bits, uncial::formula::float16_value;
  int64_t wrong = 0;
  for (uint32_t b = 0; b < 1u << 16; ++b) {
    const float value = float16_value(uint16_t(b));
    const bool special = (b & 0x7c00u) == 0x7c00u;
    if (special && (b & 0x3ffu) != 0)
      wrong += !std::isnan(value) || !std::isnan(float16_value(float16_bits(value)));
    else
      wrong += float16_bits(value) != b || (special ? !std::isinf(value) : double(value) != float16(b));
  }
  CHECK(wrong == 0);
}
