#include "simd/lane_norm.h"

#include "kernels/guarded.h"
#include "support/isas.h"

namespace uncial::cpu {
namespace {

using guarded::Image;
using guarded::Integers;
using test::for_each_isa;

struct Shape {
  int64_t C, H, W, halo;
};
const Shape kShapes[] = {{3, 1, 1, 0},   {2, 5, 7, 0},   {4, 6, 6, 1},
                         {1, 26, 26, 0}, {2, 3, 300, 0}, {2, 2, 300, 1}};

/// All lanes hold values, those that are no samples a NaN.
void fill(const Image& x, int64_t samples, Integers& next) {
  x.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
    x.at(c, h, w, lane) = lane < samples ? next(100) * 0.01f + float(c) : guarded::guard();
  });
}

/// Calls body(shape, samples, values) for all shapes, some numbers of samples and every instruction set.
template <class Body>
void for_each_case(const Body& body) {
  for_each_isa([&](const std::string&) {
    Integers next;
    const int64_t lanes = lane_norm_simd().lanes;
    for (const Shape& s : kShapes)
      for (const int64_t samples : {int64_t(1), lanes / 2 + 1, lanes}) {
        CAPTURE(s.C, s.H, s.W, s.halo, samples);
        body(s, samples, next);
      }
  });
}

/// Sum of term(h, w, lane) over the real pixels of a channel.
template <class Term>
double sum(const Shape& s, int64_t samples, const Term& term) {
  double total = 0;
  for (int64_t h = 0; h < s.H; ++h)
    for (int64_t w = 0; w < s.W; ++w)
      for (int64_t lane = 0; lane < samples; ++lane) total += term(h, w, lane);
  return total;
}

TEST_CASE("moments and channel_sums agree with double sums over the real lanes") {
  for_each_case([](const Shape& s, int64_t samples, Integers& next) {
    const LaneNormSimd& norm = lane_norm_simd();
    const Image x(norm.lanes, s.C, s.H, s.W, s.halo);
    fill(x, samples, next);
    std::vector<double> moments(size_t(2 * s.C), -1), sums(size_t(s.C), 0.5);
    norm.moments(x.view(), samples, moments.data());
    norm.channel_sums(x.view(), samples, sums.data());
    for (int64_t c = 0; c < s.C; ++c) {
      const double total =
          sum(s, samples, [&](int64_t h, int64_t w, int64_t lane) { return double(x.at(c, h, w, lane)); });
      const double mean = total / double(s.H * s.W * samples);
      const double squares = sum(s, samples, [&](int64_t h, int64_t w, int64_t lane) {
        return (double(x.at(c, h, w, lane)) - mean) * (double(x.at(c, h, w, lane)) - mean);
      });
      CHECK(moments[size_t(2 * c)] == Approx(mean).epsilon(1e-6).margin(1e-6));
      CHECK(moments[size_t(2 * c + 1)] == Approx(squares).epsilon(1e-6).margin(1e-9));
      CHECK(sums[size_t(c)] == Approx(total + 0.5).epsilon(1e-6).margin(1e-5));
    }
    CHECK(x.halo_untouched());
  });
}

TEST_CASE("moments of values that hardly differ keep their digits") {
  for_each_isa([](const std::string&) {
    const LaneNormSimd& norm = lane_norm_simd();
    const Image x(norm.lanes, 1, 20, 20);
    double mean = 0, squares = 0, moments[2];
    x.each([&](int64_t, int64_t h, int64_t w, int64_t lane) {
      mean += double(x.at(0, h, w, lane) = 1000.0f + float((h * 20 + w + lane) % 3) * 0x1p-13f);
    });
    mean /= double(400 * norm.lanes);
    x.each([&](int64_t, int64_t h, int64_t w, int64_t lane) {
      squares += (double(x.at(0, h, w, lane)) - mean) * (double(x.at(0, h, w, lane)) - mean);
    });
    norm.moments(x.view(), norm.lanes, moments);
    CHECK(moments[0] == Approx(mean).epsilon(1e-9));
    CHECK(moments[1] == Approx(squares).epsilon(1e-4));
  });
}

TEST_CASE("affine scales each channel, adds what is skipped, and ReLU lets NaN pass") {
  for_each_case([](const Shape& s, int64_t, Integers& next) {
    const LaneNormSimd& norm = lane_norm_simd();
    const Image x(norm.lanes, s.C, s.H, s.W, s.halo), y(norm.lanes, s.C, s.H, s.W, 1),
        skip(norm.lanes, s.C, s.H, s.W, 1 - s.halo);
    fill(x, norm.lanes - 1, next);
    fill(skip, norm.lanes, next);
    const std::vector<float> mean(size_t(s.C), 0.5f), factor{1.5f, -2, 3, 0.25f}, shift{-1, 0, 2, 0.125f};
    for (const int variant : {0, 1, 2, 3}) {
      const bool relu = variant % 2, residual = variant / 2;
      norm.affine(x.view(), mean.data(), factor.data(), shift.data(), residual ? skip.view() : LaneImage{},
                  relu, y.view());
      const double share = residual;
      int64_t wrong = 0;
      y.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
        double expected = (double(x.at(c, h, w, lane)) - 0.5) * double(factor[size_t(c)]) +
                          double(shift[size_t(c)]) + share * double(skip.at(c, h, w, lane));
        if (relu && expected < 0) expected = 0;
        const double found = double(y.at(c, h, w, lane));
        wrong += lane == norm.lanes - 1 ? found == found : !(std::abs(found - expected) < 1e-5);
      });
      CHECK(wrong == 0);
      CHECK(y.halo_untouched());
    }
  });
}

enum class Mask { none, by_output, by_input };
constexpr Mask kMasks[] = {Mask::none, Mask::by_output, Mask::by_input};

/// Inputs of the backward kernels, of different strides.
struct Gradients {
  Image dy, relu_y, x;
  Mask mask;
  std::vector<float> mean{0.25f, 1, -0.5f, 3}, factor{1, 0.5f, -3, 0.25f}, shift{0.5f, 0, -1, 0.25f};
  Gradients(int lanes, const Shape& s, int64_t samples, Mask mask, Integers& next)
      : dy(lanes, s.C, s.H, s.W, 1),
        relu_y(lanes, s.C, s.H, s.W, 1),
        x(lanes, s.C, s.H, s.W, s.halo),
        mask(mask) {
    fill(dy, samples, next), fill(relu_y, samples, next), fill(x, samples, next);
  }
  LaneNormGradient view() const {
    const bool own = mask == Mask::by_input;
    return {.dy = dy.view(),
            .relu_y = mask == Mask::by_output ? relu_y.view().data : nullptr,
            .x = x.view(),
            .mean = mean.data(),
            .factor = own ? factor.data() : nullptr,
            .shift = own ? shift.data() : nullptr};
  }
  double distance(int64_t c, int64_t h, int64_t w, int64_t lane) const {
    return double(x.at(c, h, w, lane)) - double(mean[size_t(c)]);
  }
  bool passes(int64_t c, int64_t h, int64_t w, int64_t lane) const {
    if (mask == Mask::by_output) return relu_y.at(c, h, w, lane) > 0;
    const double y = distance(c, h, w, lane) * double(factor[size_t(c)]) + double(shift[size_t(c)]);
    return mask == Mask::none || y > 0;
  }
  double at(int64_t c, int64_t h, int64_t w, int64_t lane) const {
    return passes(c, h, w, lane) ? double(dy.at(c, h, w, lane)) : 0;
  }
};

/// sums[2 c] and sums[2 c + 1] are those of dy(c, h, w, lane) and of its product with the distance.
template <class Dy>
void check_sums(const Gradients& in, const Shape& s, int64_t samples, const std::vector<double>& sums,
                const Dy& dy) {
  for (int64_t c = 0; c < s.C; ++c) {
    const double total =
        sum(s, samples, [&](int64_t h, int64_t w, int64_t lane) { return dy(c, h, w, lane); });
    const double product = sum(s, samples, [&](int64_t h, int64_t w, int64_t lane) {
      return dy(c, h, w, lane) * in.distance(c, h, w, lane);
    });
    CHECK(sums[size_t(2 * c)] == Approx(total).epsilon(1e-6).margin(1e-4));
    CHECK(sums[size_t(2 * c + 1)] == Approx(product).epsilon(1e-6).margin(1e-4));
  }
}

TEST_CASE("norm_sums agrees with double sums over the real lanes") {
  for_each_case([](const Shape& s, int64_t samples, Integers& next) {
    for (const Mask mask : kMasks) {
      const LaneNormSimd& norm = lane_norm_simd();
      const Gradients in(norm.lanes, s, samples, mask, next);
      std::vector<double> sums(size_t(2 * s.C), -1);
      norm.norm_sums(in.view(), samples, sums.data());
      check_sums(in, s, samples, sums,
                 [&](int64_t c, int64_t h, int64_t w, int64_t lane) { return in.at(c, h, w, lane); });
    }
  });
}

TEST_CASE("join_sums adds two gradients, undoes a ReLU, and sums what it stores") {
  for_each_case([](const Shape& s, int64_t samples, Integers& next) {
    for (const int variant : {0, 1, 2, 3}) {
      const bool relu = variant % 2, two = variant / 2;
      const LaneNormSimd& norm = lane_norm_simd();
      const Gradients in(norm.lanes, s, samples, relu ? Mask::by_output : Mask::none, next);
      const Image more(norm.lanes, s.C, s.H, s.W, s.halo), to(norm.lanes, s.C, s.H, s.W, 2);
      fill(more, samples, next);
      std::vector<double> sums(size_t(2 * s.C), -1);
      norm.join_sums(in.view(), two ? more.view() : LaneImage{}, to.view(), samples, sums.data());
      const auto joined = [&](int64_t c, int64_t h, int64_t w, int64_t lane) {
        const float v = in.dy.at(c, h, w, lane) + (two ? more.at(c, h, w, lane) : 0.0f);
        return in.passes(c, h, w, lane) ? v : 0.0f;
      };
      check_sums(in, s, samples, sums, joined);
      int64_t wrong = 0;
      to.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
        wrong += lane < samples && to.at(c, h, w, lane) != joined(c, h, w, lane);
      });
      CHECK(wrong == 0);
      CHECK(to.halo_untouched());
    }
  });
}

TEST_CASE("norm_gradient follows its formula, and is 0 in lanes without a sample") {
  for_each_case([](const Shape& s, int64_t samples, Integers& next) {
    for (const Mask mask : kMasks) {
      const LaneNormSimd& norm = lane_norm_simd();
      const Gradients in(norm.lanes, s, samples, mask, next);
      const Image dx(norm.lanes, s.C, s.H, s.W, 2);
      const float dy_mean[] = {0.5f, 0, 1, -1}, slope[] = {2, -1, 0.5f, 0}, scale[] = {1, 0.5f, -3, 0.1f};
      norm.norm_gradient(in.view(), dy_mean, slope, scale, samples, dx.view());
      int64_t wrong = 0;
      dx.each([&](int64_t c, int64_t h, int64_t w, int64_t lane) {
        const double off = in.distance(c, h, w, lane);
        const double expected =
            lane < samples
                ? (in.at(c, h, w, lane) - double(dy_mean[c]) - off * double(slope[c])) * double(scale[c])
                : 0;
        wrong += !(std::abs(double(dx.at(c, h, w, lane)) - expected) <= (lane < samples ? 2e-5 : 0));
      });
      CHECK(wrong == 0);
      CHECK(dx.halo_untouched());
    }
  });
}

}  // namespace
}  // namespace uncial::cpu
