// The float polynomials of kernels/math.h against libm in double, in units in the last place.
#include <bit>
#include <cmath>
#include <limits>

#include "support/check_op.h"
#include "support/thorough.h"
#include "uncial/ops/elementwise.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Every 997th float, both signs: 4.3 million arguments, all exponents; in a short run every 99,991st.
Tensor sample(float low, float high) {
  const uint64_t stride = thorough() ? 997 : 99'991;
  std::vector<float> values;
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += stride) {
    const float x = std::bit_cast<float>(uint32_t(bits));
    if (x >= low && x <= high) values.push_back(x);
  }
  return from_values(std::span<const float>(values), {int64_t(values.size())});
}

double ulps(float actual, double exact) {
  const float rounded = float(exact);
  if (std::isinf(rounded) || std::isnan(rounded))
    return actual == rounded || (actual != actual && exact != exact) ? 0 : INFINITY;
  const double spacing = double(std::nextafter(std::fabs(rounded), kInf)) - double(std::fabs(rounded));
  return std::fabs(double(actual) - exact) / spacing;
}

/// Denormal arguments and results count as zero inside operators, so they are left out.
void check_ulps(Tensor (*op)(const Tensor&), double (*exact)(double), double bound, float low = -kInf,
                float high = kInf) {
  const Tensor x = sample(low, high);
  for_each_isa([&](const std::string& isa) {
    const Tensor y = op(x);
    double worst = 0, at = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const double argument = double(x.data<float>()[i]), answer = exact(argument);
      const double smallest = double(std::numeric_limits<float>::min());
      if (std::fabs(argument) < smallest || (std::fabs(answer) < smallest && answer != 0)) continue;
      const double error = ulps(y.data<float>()[i], answer);
      if (error > worst) worst = error, at = argument;
    }
    INFO(isa << ": " << worst << " ulp at " << at);
    CHECK(worst <= bound);
  });
}

}  // namespace

TEST_CASE("math: float functions stay within their ulp bounds on every instruction set") {
  SECTION("exp") {
    check_ulps(
        exp, [](double x) { return std::exp(x); }, 2);
  }
  SECTION("log") {
    check_ulps(
        log, [](double x) { return std::log(x); }, 2, 0);
  }
  SECTION("tanh") {
    check_ulps(
        tanh, [](double x) { return std::tanh(x); }, 4);
  }
  SECTION("expm1, through elu") {
    check_ulps([](const Tensor& x) { return elu(x, 1); }, [](double x) { return x > 0 ? x : std::expm1(x); },
               3);
  }
  SECTION("log1p and exp, through softplus") {
    check_ulps(
        softplus, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }, 5, -80);
  }
  SECTION("sigmoid") {
    check_ulps(
        sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 4, -80);
  }
}

TEST_CASE("math: gelu loses nothing but what 1 + erf rounds away") {
  const Tensor x = sample(-8, 8);
  for_each_isa([&](const std::string& isa) {
    const Tensor y = gelu(x);
    double worst = 0;
    for (int64_t i = 0; i < x.size(); ++i) {
      const double argument = double(x.data<float>()[i]);
      const double exact = argument * std::erfc(-argument / std::sqrt(2.0)) / 2;
      worst = std::max(worst,
                       std::fabs(double(y.data<float>()[i]) - exact) / std::max(std::fabs(argument), 1e-30));
    }
    INFO(isa << ": " << worst);
    CHECK(worst <= 2.5e-7);
  });
}
