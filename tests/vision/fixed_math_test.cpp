#include "uncial/kernels/fixed_math.h"

#include <cmath>

#include "support/catch.h"
#include "uncial/core/random.h"

using namespace uncial;
using namespace uncial::kernels;

TEST_CASE("fixed-point sine and cosine agree with the C library", "[vision]") {
  double worst = 0;
  for (uint64_t i = 0; i < (1 << 16); ++i) {
    const uint32_t turns = uint32_t(i * 65537 + i % 977);
    const double angle = 2 * std::acos(-1.0) * turns * 0x1p-32;
    const SinCos r = sincos_turns(turns);
    worst = std::max({worst, std::abs(double(r.sin) * 0x1p-30 - std::sin(angle)),
                      std::abs(double(r.cos) * 0x1p-30 - std::cos(angle))});
  }
  CHECK(worst < 4e-9);
  const int64_t sines[] = {0, kOneQ30, 0, -kOneQ30}, cosines[] = {kOneQ30, 0, -kOneQ30, 0};
  for (uint32_t quarter = 0; quarter < 4; ++quarter) {
    CHECK(sincos_turns(quarter << 30).sin == sines[quarter]);
    CHECK(sincos_turns(quarter << 30).cos == cosines[quarter]);
  }
}

TEST_CASE("fixed-point logarithm agrees with the C library", "[vision]") {
  double worst = 0;
  for (uint64_t i = 0; i < (1 << 16); ++i) {
    const uint32_t word = i < 64 ? (1u << (i % 32)) - uint32_t(i / 32) : uint32_t(i * 65537);
    worst =
        std::max(worst, std::abs(double(minus_log_unit(word)) * 0x1p-30 + std::log((word + 0.5) * 0x1p-32)));
  }
  CHECK(worst < 1e-8);
  CHECK(minus_log_unit(~0u) >= 0);  // its square root is taken
}

TEST_CASE("normal pairs have the moments of a standard normal", "[vision]") {
  const RandomStream stream(5, Purpose::augment);
  constexpr int kBlocks = 50000;
  double sum = 0, squares = 0, cross = 0, fourth = 0;
  for (int i = 0; i < kBlocks; ++i) {
    const auto w = stream.block(uint64_t(i));
    const auto [a, b] = normal_pair(w[0], w[1]);
    sum += a + b, squares += a * a + b * b, cross += a * b, fourth += a * a * a * a + b * b * b * b;
  }
  CHECK(std::abs(sum / (2 * kBlocks)) < 0.02);  // six standard errors: 6 / sqrt(100000) = 0.019
  CHECK(std::abs(squares / (2 * kBlocks) - 1) < 0.03);
  CHECK(std::abs(cross / kBlocks) < 0.03);
  CHECK(std::abs(fourth / (2 * kBlocks) - 3) < 0.2);
}

TEST_CASE("draws keep their ranges", "[vision]") {
  const int64_t range = to_fixed(0.25, 32);
  CHECK(symmetric_draw(range, 0) == 0);
  CHECK(symmetric_draw(range, 0x80000000u) == -range);
  CHECK(symmetric_draw(range, 0x40000000u) == range / 2);
  CHECK(symmetric_draw(range, 0x7fffffffu) < range);
  CHECK(symmetric_draw(int64_t(1) << 32, 0x80000000u) == -(int64_t(1) << 32));
  CHECK(draw_below(10, 0) == 0);
  CHECK(draw_below(10, ~0u) == 9);
}
