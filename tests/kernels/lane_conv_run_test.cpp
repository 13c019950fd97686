// Convolutions of one tap take images without gaps as one run of pixels: they agree to the bit with the same
// on images with gaps (which lane_conv_test.cpp holds to loops in double precision) where sums are exact.

#include "lane_conv_buffers.h"
#include "lane_conv_cases.h"
#include "simd/lane_conv.h"
#include "support/catch.h"
#include "support/isas.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// All images of one convolution.
struct Images {
  const cpu::LaneConvSimd& simd = cpu::lane_conv_simd();
  Case c;
  int64_t gap, lanes = simd.lanes;
  GuardedImage x = image(c.C), y = image(c.K), skip = image(c.K), dy = image(c.K), relu_y = image(c.K),
               dx = image(c.C);
  GuardedFloats w{c.weights()}, sums{simd.weight_sums(c.s, c.C, c.K)}, bias_sums{c.K * lanes};
  GuardedFloats workspace{simd.workspace_floats(c.s, c.C, c.H, c.W, c.K, c.P(), c.Q())};

  Images(const Case& which, int64_t of_gap) : c(which), gap(of_gap) {
    Numbers next(Numbers::Kind::integers, 1);
    for (GuardedImage* input : {&x, &skip, &dy, &relu_y}) input->fill([&] { return next(); });
    for (int64_t i = 0; i < w.size(); ++i) w.data()[i] = next();
    sums.fill(0), bias_sums.fill(0);
  }
  GuardedImage image(int64_t channels) const { return {lanes, channels, c.H, c.W, 0, false, gap}; }

  void run() {
    simd.forward(c.s, x.image(), w.data(),
                 {.relu = true, .y = y.image(), .skip = skip.image(), .stream = gap == 0});
    simd.backward(c.s, x.image(), w.data(),
                  {.dy = dy.image(), .relu_y = relu_y.image().data, .P = c.H, .Q = c.W}, sums.data(),
                  bias_sums.data(), dx.image(), workspace.data());
  }
};

int64_t differences(GuardedImage& a, GuardedImage& b) {
  int64_t count = 0;
  for (int64_t k = 0; k < a.image().C; ++k)
    for (int64_t h = 0; h < a.image().H; ++h)
      for (int64_t w = 0; w < a.image().W; ++w)
        for (int64_t lane = 0; lane < cpu::lane_conv_simd().lanes; ++lane)
          count += a.at(k, h, w, lane) != b.at(k, h, w, lane);
  return count;
}

}  // namespace

TEST_CASE("one tap on images without gaps: the same as with gaps", "[lanes]") {
  for_each_isa([](const std::string&) {
    for (const Case& c : {Case{9, 7, 16, 19, {1, 1, 1, 0, 1, 1}}, Case{3, 2, 3, 2, {1, 1, 1, 0, 1, 1}},
                          Case{4, 13, 11, 8, {1, 1, 1, 0, 1, 2}}, Case{40, 6, 8, 5, {1, 1, 1, 0, 1, 1}},
                          Case{20, 5, 20, 33, {1, 1, 1, 0, 1, 1}}}) {
      CAPTURE(c);
      Images gaps(c, 1), none(c, 0);
      for (Images* all : {&gaps, &none}) all->run();
      CHECK(differences(gaps.y, none.y) == 0);
      CHECK(differences(gaps.dx, none.dx) == 0);
      int64_t wrong = 0;
      for (int64_t i = 0; i < gaps.sums.size(); ++i) wrong += gaps.sums.data()[i] != none.sums.data()[i];
      for (int64_t i = 0; i < gaps.bias_sums.size(); ++i)
        wrong += gaps.bias_sums.data()[i] != none.bias_sums.data()[i];
      CHECK(wrong == 0);
      for (const GuardedImage* image : {&none.y, &none.dx})
        CHECK(image->floats().touched() == image->elements());
      for (int64_t i = 1; i <= 64; ++i) {
        CHECK(GuardedFloats::is_guard(none.workspace.data()[-i]));
        CHECK(GuardedFloats::is_guard(none.workspace.data()[none.workspace.size() + i - 1]));
      }
    }
  });
}
