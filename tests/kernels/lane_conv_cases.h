#pragma once
/// @file lane_conv_cases.h
/// What the tests of direct convolutions share: shapes, numbers, and sums with a bound on their error.

#include <cmath>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "simd/lane_conv.h"
#include "uncial/kernels/bfloat16_formula.h"

namespace uncial::test {

struct Case {
  int64_t C, H, W, K;
  cpu::LaneConvShape s;
  int64_t P() const { return (H + 2 * s.padding - s.dilation * (s.R - 1) - 1) / s.stride + 1; }
  int64_t Q() const { return (W + 2 * s.padding - s.dilation * (s.S - 1) - 1) / s.stride + 1; }
  int64_t group_channels() const { return C / s.groups; }
  int64_t weights() const { return K * group_channels() * s.R * s.S; }
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.C << "x" << c.H << "x" << c.W << " -> " << c.K << ", " << c.s.R << "x" << c.s.S
             << " stride " << c.s.stride << " padding " << c.s.padding << " dilation " << c.s.dilation
             << " groups " << c.s.groups;
}

/// The first layers of the known networks, every size of register block and what it leaves over, even and odd
/// sides, taps that reach over the edge, strides that skip pixels, groups, depthwise, one pixel.
inline const std::vector<Case> kCases = {
    {1, 28, 28, 32, {3, 3, 1, 0, 1, 1}},  {1, 14, 14, 6, {5, 5, 1, 2, 1, 1}},
    {6, 14, 14, 16, {5, 5, 1, 0, 1, 1}},  {1, 9, 11, 24, {5, 5, 1, 2, 1, 1}},
    {3, 15, 17, 10, {7, 7, 2, 3, 1, 1}},  {4, 8, 9, 3, {3, 3, 1, 1, 1, 1}},
    {16, 7, 7, 19, {3, 3, 1, 1, 1, 1}},   {17, 6, 40, 9, {3, 3, 1, 1, 1, 1}},
    {40, 5, 6, 33, {3, 3, 2, 1, 1, 1}},   {9, 10, 3, 7, {3, 3, 2, 0, 1, 1}},
    {8, 9, 9, 8, {1, 1, 1, 0, 1, 1}},     {33, 4, 15, 12, {1, 1, 1, 0, 1, 1}},
    {12, 9, 8, 5, {1, 1, 2, 0, 1, 1}},    {2, 9, 8, 5, {1, 1, 3, 0, 1, 1}},
    {5, 7, 12, 5, {3, 3, 1, 1, 1, 5}},    {16, 11, 12, 16, {3, 3, 2, 1, 1, 16}},
    {6, 9, 9, 12, {5, 5, 1, 2, 1, 6}},    {18, 7, 6, 8, {3, 3, 1, 1, 1, 2}},
    {4, 8, 8, 6, {3, 3, 1, 1, 1, 2}},     {2, 12, 13, 4, {3, 3, 1, 2, 2, 1}},
    {10, 12, 13, 6, {3, 3, 1, 2, 2, 1}},  {9, 12, 11, 6, {3, 3, 2, 1, 2, 1}},
    {3, 16, 15, 5, {3, 3, 3, 2, 2, 1}},   {8, 14, 13, 4, {3, 2, 2, 0, 3, 1}},
    {1, 16, 16, 2, {11, 11, 1, 5, 1, 1}}, {3, 23, 24, 4, {11, 11, 4, 2, 1, 1}},
    {8, 13, 12, 3, {11, 7, 1, 3, 1, 1}},  {2, 5, 6, 3, {1, 4, 1, 0, 1, 1}},
    {2, 6, 5, 9, {2, 1, 1, 1, 1, 1}},     {8, 3, 3, 8, {3, 3, 1, 0, 1, 1}},
    {1, 1, 1, 1, {1, 1, 1, 0, 1, 1}},     {2, 1, 1, 2, {3, 3, 1, 1, 1, 1}},
    {8, 2, 2, 9, {3, 3, 2, 1, 1, 1}},     {8, 5, 5, 2, {2, 2, 3, 0, 1, 1}},
    {2, 5, 5, 2, {2, 2, 3, 0, 1, 1}},     {8, 1, 34, 8, {1, 9, 1, 4, 1, 1}},
    {2, 4, 4, 3, {3, 3, 1, 4, 1, 1}},     {9, 4, 4, 3, {3, 3, 2, 4, 1, 1}},
    {3, 9, 8, 3, {3, 3, 1, 0, 1, 3}},     {2, 13, 15, 2, {7, 7, 2, 3, 1, 2}},
    {3, 9, 11, 3, {5, 5, 1, 2, 1, 3}},    {2, 10, 9, 2, {5, 4, 2, 4, 1, 2}},
    {2, 11, 10, 2, {1, 2, 3, 0, 1, 2}},   {4, 6, 5, 4, {3, 3, 2, 3, 1, 4}},
    {2, 9, 27, 5, {3, 4, 1, 2, 1, 1}},    {3, 8, 50, 4, {5, 5, 1, 2, 1, 1}},
    {5, 9, 9, 3, {5, 5, 1, 4, 1, 1}},     {2, 9, 21, 6, {3, 9, 2, 4, 1, 1}},
};

/// Numbers for inputs: small integers, normal ones, or those rounded to bfloat16.
class Numbers {
 public:
  enum class Kind { integers, normal, bfloat16 };
  Numbers(Kind kind, unsigned seed) : kind_(kind), engine_(seed) {}
  float operator()() {
    if (kind_ == Kind::integers) return float(int(engine_() % 7) - 3);
    const float number = std::normal_distribution<float>()(engine_);
    return kind_ == Kind::bfloat16 ? formula::rounded_to_bfloat16(number) : number;
  }

 private:
  Kind kind_;
  std::mt19937 engine_;
};

/// A sum in double precision and the sum of absolute products, which bounds the error of any order.
struct Sum {
  double value = 0, magnitude = 0;
  int64_t terms = 0;
  void add(double a, double b = 1) { value += a * b, magnitude += std::abs(a * b), ++terms; }
  double bound(bool exact) const {
    const double ku = double(terms + 2) * 0x1p-24;
    return exact ? 0 : ku / (1 - ku) * magnitude;
  }
};

/// How many of the numbers are further from their sums than the bound, and the first of them as a text.
struct Comparison {
  bool exact;
  int64_t faults = 0;
  std::string first = {};
  void check(float got, const Sum& sum, int64_t place) {
    if (std::abs(got - sum.value) <= sum.bound(exact)) return;
    if (!faults++)
      first = "element " + std::to_string(place) + ": " + std::to_string(got) + ", expected " +
              std::to_string(sum.value);
  }
};

}  // namespace uncial::test
