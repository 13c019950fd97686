// Direct convolutions with the batch in the lanes, against loops in double precision. Small integers have
// exact sums, so those must agree to the bit; for others the bound is k u / (1 - k u) times the sum of
// absolute products, whatever the order of summation.

#include "simd/lane_conv.h"

#include <limits>
#include <string>

#include "lane_conv_experiment.h"
#include "support/isas.h"
#include "uncial/core/isa.h"

using namespace uncial;
using namespace uncial::test;
using Kind = Numbers::Kind;

namespace {

template <class Body>
void for_each_experiment(Body body) {
  for (const std::string& name : isas()) {
    set_isa(name);
    for (const Case& c : kCases)
      for (bool integers : {true, false}) {
        INFO(name << ", " << c << (integers ? ", integers" : ""));
        Experiment experiment(cpu::lane_conv_simd(), c, integers ? Kind::integers : Kind::normal);
        body(experiment);
      }
  }
  set_isa("");
}

}  // namespace

TEST_CASE("direct convolutions with the batch in the lanes agree with loops in double precision", "[lanes]") {
  for_each_experiment([](Experiment& e) {
    for (bool relu : {false, true})
      for (bool residual : {false, true}) e.check_plain(relu, residual);
  });
}

TEST_CASE("pooled convolutions keep the largest of each window and remember which it was", "[lanes]") {
  for_each_experiment([](Experiment& e) {
    e.check_pooled(false);
    e.check_pooled(true);
  });
}

TEST_CASE("pooled convolutions treat NaN and minus infinity as the operator does", "[lanes]") {
  constexpr float kInf = std::numeric_limits<float>::infinity(),
                  kNaN = std::numeric_limits<float>::quiet_NaN();
  const Case c = {1, 10, 14, 1, {1, 1, 1, 0, 1, 1}};
  for_each_isa([&](const std::string&) {
    Experiment e(cpu::lane_conv_simd(), c, Kind::integers);
    e.w.data()[0] = 1, e.bias.data()[0] = 0;
    std::mt19937 engine(1);
    e.x.fill([&] {
      const float values[] = {kNaN, -kInf, -kInf, -kInf, kInf, -2, 3};
      return values[engine() % 7];
    });
    for (bool relu : {false, true}) {
      GuardedImage y(e.lanes, 1, 5, 7, 1, false);
      std::vector<cpu::WinnerCode> winners(size_t(5 * 7 * e.lanes));
      e.simd.forward(c.s, e.x.image(), e.w.data(), {e.bias.data(), relu, true, y.image(), winners.data()});
      int wrong = 0;
      for (int64_t i = 0; i < int64_t(winners.size()); ++i) {
        const int64_t n = i % e.lanes, q = i / e.lanes % 7, p = i / e.lanes / 7;
        int best = 0;
        const auto at = [&](int j) { return e.x.at(0, 2 * p + j / 2, 2 * q + j % 2, n); };
        for (int j = 1; j < 4; ++j)
          if (at(j) > at(best) || (std::isnan(at(j)) && !std::isnan(at(best)))) best = j;
        const float value = relu && at(best) < 0 ? 0 : at(best), got = y.at(0, p, q, n);
        wrong += !(got == value || (std::isnan(got) && std::isnan(value)));
        wrong += winners[size_t(i)] != (relu && !(value > 0) ? int(cpu::kNoWinner) : best);
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("gradients of direct convolutions agree with loops in double precision", "[lanes]") {
  for_each_experiment([](Experiment& e) {
    e.check_backward(Experiment::Source::plain);
    e.check_backward(Experiment::Source::relu);
    e.check_backward(Experiment::Source::pooled);
  });
}

TEST_CASE("gradients are added to what the sums hold", "[lanes]") {
  const Case c = {9, 5, 6, 3, {3, 3, 1, 1, 1, 1}};
  for (const std::string& name : isas()) {
    set_isa(name);
    for (int64_t channels : {3, 9}) {
      Case of = c;
      of.C = channels;
      Experiment e(cpu::lane_conv_simd(), of, Kind::integers);
      GuardedImage dy(e.lanes, of.K, of.P(), of.Q(), 0);
      dy.fill([] { return 1.0f; });
      GuardedFloats sums(e.simd.weight_sums(of.s, of.C, of.K)), bias(of.K * e.lanes), one(of.weights()),
          three(of.weights());
      GuardedFloats workspace(e.simd.workspace_floats(of.s, of.C, of.H, of.W, of.K, of.P(), of.Q()));
      sums.fill(0), bias.fill(0);
      for (int turn = 0; turn < 3; ++turn) {
        e.simd.backward(of.s, e.x.image(), e.w.data(), {dy.image(), nullptr, nullptr, of.P(), of.Q()},
                        sums.data(), bias.data(), {}, workspace.data());
        if (turn != 1)
          e.simd.finish_weights(of.s, of.C, of.K, sums.data(), turn ? three.data() : one.data(), 0, of.K);
      }
      for (int64_t i = 0; i < one.size(); ++i) REQUIRE(three.data()[i] == 3 * one.data()[i]);
      for (int64_t i = 0; i < bias.size(); ++i) REQUIRE(bias.data()[i] == 3 * float(of.P() * of.Q()));
    }
  }
  set_isa("");
}
