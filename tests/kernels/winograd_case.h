#pragma once
/// One case of the tests of Winograd's kernels: its extents, its operands, and how errors are measured.

#include <algorithm>
#include <ostream>
#include <random>

#include "kernels/lane_buffers.h"
#include "simd/lane_winograd.h"

namespace uncial::test::winograd {

struct Case {
  int64_t C, K, P, Q, padding;
  bool pool = false, relu = false, bias = false, whole_numbers = true, residual = false;
  int64_t taps = 3;
  int64_t H() const { return P + taps - 1 - 2 * padding; }
  int64_t W() const { return Q + taps - 1 - 2 * padding; }
  /// Rows and columns that whole tiles of the input cover.
  int64_t rows() const { return covered(P); }
  int64_t cols() const { return covered(Q); }
  int64_t weights() const { return K * C * taps * taps; }

 private:
  int64_t covered(int64_t outputs) const {
    const cpu::WinogradTiling tiling{taps};
    return tiling.patch_end(tiling.tiles(outputs));
  }
};

inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.taps << " x " << c.taps << " C " << c.C << " K " << c.K << " P " << c.P << " Q " << c.Q
             << " padding " << c.padding << (c.pool ? " pool" : "") << (c.relu ? " relu" : "")
             << (c.bias ? " bias" : "") << (c.whole_numbers ? "" : " random")
             << (c.residual ? " residual" : "");
}

class Numbers {
 public:
  explicit Numbers(bool whole) : whole_(whole) {}
  float operator()(int size) {
    const auto bits = random_();
    return whole_ ? float(int(bits % unsigned(2 * size + 1)) - size)
                  : (float(bits) / 2147483648.f - 1) * float(size);
  }

 private:
  bool whole_;
  std::mt19937 random_{7};
};

/// Largest error seen, and the largest sum of |products| that it is measured against.
struct Error {
  double error = 0, size = 0;
  void add(double is, double should_be, double magnitude) {
    const double e = std::abs(is - should_be);
    error = e <= error ? error : e;  // a NaN sticks
    size = std::max(size, magnitude);
  }
  double relative() const { return error / std::max(size, 1e-30); }
};

// Largest seen over all cases and instruction sets: y 4.4e-6 (one channel, real numbers), dw 1.7e-6,
// dx 3.1e-6.
inline constexpr double kTolerance = 1e-5;

/// Everything that a case computes, beside sums in double.
struct Run {
  const Case c;
  const cpu::WinogradSimd& simd;
  const int lanes;
  std::vector<float> w, bias;
  Guarded<float> u;
  LaneBuffer x;
  Dense xs;  ///< x with its halo

  explicit Run(const Case& problem)
      : c(problem),
        simd(cpu::winograd_simd(c.taps)),
        lanes(simd.lanes),
        u(simd.weight_floats(c.C, c.K), kNaN),
        x(c.C, c.H(), c.W(), c.padding, c.rows(), c.cols(), lanes, kNaN),
        xs(c.C, c.rows(), c.cols(), lanes) {
    Numbers next(c.whole_numbers);
    w.resize(size_t(c.weights()));
    for (float& v : w) v = next(4);
    bias.resize(size_t(c.K));
    for (float& v : bias) v = next(20);
    x.visit([&](float* v, int64_t channel, int64_t h, int64_t column, int kind) {
      for (int l = 0; l < lanes && kind < 2; ++l) {
        v[l] = kind ? 0 : next(8);
        xs.at(channel, h + c.padding, column + c.padding)[l] = v[l];
      }
    });
    const int64_t middle = c.K / 2 / 8 * 8;
    simd.transform_weights(w.data(), c.C, c.K, u.begin(), 0, middle);
    simd.transform_weights(w.data(), c.C, c.K, u.begin(), middle, c.K);
  }

  /// f(k, c, r, s, weight)
  template <class F>
  void each_tap(F f) const {
    for (int64_t k = 0; k < c.K; ++k)
      for (int64_t channel = 0; channel < c.C; ++channel)
        for (int64_t r = 0; r < c.taps; ++r)
          for (int64_t s = 0; s < c.taps; ++s)
            f(k, channel, r, s, double(w[size_t(((k * c.C + channel) * c.taps + r) * c.taps + s)]));
  }
};

}  // namespace uncial::test::winograd
