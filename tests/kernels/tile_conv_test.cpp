// Convolutions on the matrix unit against loops in double precision, emulated on any machine with AVX-512 and
// on the unit itself where there is one. Small integers must agree to the bit; products of bfloat16 numbers
// are exact in float32, so for them the bound is that of the sums.

#include "tiles/tile_conv.h"

#include <string>

#include "lane_conv_experiment.h"
#include "support/isas.h"
#include "uncial/core/isa.h"

using namespace uncial;
using namespace uncial::test;
using cpu::LaneConvShape;

namespace {

/// Packed weights with guards around them.
GuardedFloats packed(const LaneConvShape& s, const float* w, int64_t C, int64_t K, bool turned) {
  const cpu::TileConvKernels& k = *cpu::tile_conv();
  GuardedFloats all(turned ? k.turned_weight_floats(s, C, K) : k.weight_floats(s, C, K));
  for (int64_t tile = 0; tile * 16 < (turned ? C : K); ++tile)
    (turned ? k.pack_turned_weights : k.pack_weights)(s, w, C, K, tile, all.data());
  REQUIRE(Experiment::guards_hold(all));
  return all;
}

/// The kernels as a family that packs the weights at each call.
const cpu::LaneConvSimd kTiles = {
    16,
    [](const LaneConvShape& s, const cpu::LaneImage& x, const float* w, const cpu::LaneEpilogue& e) {
      const int64_t K = e.y.C, P = e.pool ? 2 * e.y.H : e.y.H, Q = e.pool ? 2 * e.y.W : e.y.W;
      GuardedFloats weights = packed(s, w, x.C, K, false);
      GuardedFloats workspace(cpu::tile_conv()->workspace_floats(s, x.C, x.W, K, Q));
      cpu::tile_conv()->forward(s, x, weights.data(), e, P, Q, workspace.data());
      REQUIRE(Experiment::guards_hold(workspace));
    },
    [](const LaneConvShape& s, const cpu::LaneImage& x, const float* w, const cpu::LaneGradient& dy,
       float* sums, float* bias_sums, const cpu::LaneImage& dx, float* workspace) {
      GuardedFloats weights = packed(s, w, x.C, dy.dy.C, true);
      cpu::tile_conv()->backward(s, x, weights.data(), dy, sums, bias_sums, dx, workspace);
    },
    nullptr,
    nullptr,
    nullptr,
    [](const LaneConvShape& s, int64_t C, int64_t K) { return cpu::tile_conv()->weight_sums(s, C, K); },
    [](const LaneConvShape& s, int64_t C, int64_t K, const float* sums, float* dw, int64_t k0, int64_t k1) {
      cpu::tile_conv()->finish_weights(s, C, K, sums, dw, k0, k1);
    },
    [](const LaneConvShape& s, int64_t C, int64_t, int64_t W, int64_t K, int64_t, int64_t Q) {
      return cpu::tile_conv()->workspace_floats(s, C, W, K, Q);
    },
};

/// Beside those of the other convolutions: whole tiles, and one channel more or less.
std::vector<Case> cases() {
  std::vector<Case> all = kCases;
  for (const Case& c : {Case{32, 6, 9, 64, {3, 3, 1, 0, 1, 1}}, Case{33, 7, 6, 31, {3, 3, 1, 1, 1, 1}},
                        Case{15, 9, 10, 17, {5, 5, 1, 2, 1, 1}}, Case{64, 5, 4, 16, {1, 1, 1, 0, 1, 1}},
                        Case{16, 9, 9, 48, {3, 3, 2, 1, 1, 1}}})
    all.push_back(c);
  std::erase_if(all, [](const Case& c) { return c.s.groups > 1; });
  return all;
}

template <class Body>
void for_each_experiment(Body body) {
  test::for_each_tile_unit([&](const std::string& unit) {
    for (const Case& c : cases())
      for (Numbers::Kind kind : {Numbers::Kind::integers, Numbers::Kind::bfloat16}) {
        INFO(unit << ", " << c << (kind == Numbers::Kind::integers ? ", integers" : ""));
        Experiment experiment(kTiles, c, kind);
        body(experiment);
      }
  });
}

}  // namespace

TEST_CASE("convolutions on the matrix unit agree with loops in double precision", "[tiles]") {
  for_each_experiment([](Experiment& e) {
    for (bool relu : {false, true})
      for (bool residual : {false, true}) e.check_plain(relu, residual);
  });
}

TEST_CASE("pooled convolutions on the matrix unit keep the largest and remember which it was", "[tiles]") {
  for_each_experiment([](Experiment& e) {
    e.check_pooled(false);
    e.check_pooled(true);
  });
}

TEST_CASE("gradients of convolutions on the matrix unit agree with loops in double precision", "[tiles]") {
  for_each_experiment([](Experiment& e) {
    e.check_backward(Experiment::Source::plain);
    e.check_backward(Experiment::Source::relu);
    e.check_backward(Experiment::Source::pooled);
  });
}
