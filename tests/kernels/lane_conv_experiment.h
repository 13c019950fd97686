#pragma once
/// @file lane_conv_experiment.h
/// One convolution of one group by a family of kernels, all passes of it, against loops in double precision.

#include <algorithm>
#include <vector>

#include "lane_conv_buffers.h"
#include "lane_conv_cases.h"
#include "support/catch.h"

namespace uncial::test {

struct Experiment {
  const cpu::LaneConvSimd& simd;
  Case c;
  Numbers::Kind kind;
  bool exact = kind == Numbers::Kind::integers;
  int64_t lanes = simd.lanes;
  GuardedImage x{lanes, c.C, c.H, c.W, c.s.padding};
  GuardedFloats w{c.weights()}, bias{c.K};
  std::vector<cpu::WinnerCode> winners;

  Experiment(const cpu::LaneConvSimd& of, const Case& which, Numbers::Kind numbers)
      : simd(of), c(which), kind(numbers) {
    Numbers next(kind, 1);
    x.fill(next);
    for (int64_t i = 0; i < w.size(); ++i) w.data()[i] = next();
    for (int64_t i = 0; i < bias.size(); ++i) bias.data()[i] = next();
  }

  const float* weights_of(int64_t k, int64_t channel) const {
    return w.data() + (k * c.group_channels() + channel) * c.s.R * c.s.S;
  }

  Sum output(int64_t k, int64_t p, int64_t q, int64_t lane) const {
    Sum sum;
    sum.add(bias.data()[k]);
    const int64_t first = k / (c.K / c.s.groups) * c.group_channels();
    for (int64_t channel = 0; channel < c.group_channels(); ++channel)
      for (int64_t r = 0; r < c.s.R; ++r)
        for (int64_t t = 0; t < c.s.S; ++t)
          sum.add(weights_of(k, channel)[r * c.s.S + t],
                  x.value(first + channel, p * c.s.stride - c.s.padding + r * c.s.dilation,
                          q * c.s.stride - c.s.padding + t * c.s.dilation, lane));
    return sum;
  }

  void check_plain(bool relu, bool residual) {
    GuardedImage y(lanes, c.K, c.P(), c.Q(), 1, false), skip(lanes, c.K, c.P(), c.Q(), 2, false);
    Numbers next(kind, 4);
    skip.fill(next);
    simd.forward(c.s, x.image(), w.data(),
                 {.bias = bias.data(),
                  .relu = relu,
                  .y = y.image(),
                  .skip = residual ? skip.image() : cpu::LaneImage{},
                  .stream = relu != residual});
    Comparison comparison{exact};
    for (int64_t k = 0, i = 0; k < c.K; ++k)
      for (int64_t p = 0; p < c.P(); ++p)
        for (int64_t q = 0; q < c.Q(); ++q)
          for (int64_t n = 0; n < lanes; ++n, ++i) {
            Sum sum = output(k, p, q, n);
            if (residual) sum.add(skip.at(k, p, q, n));
            if (relu && sum.value < 0) sum.value = 0;
            comparison.check(y.at(k, p, q, n), sum, i);
          }
    CHECK(comparison.first == "");
    CHECK(y.floats().touched() == y.elements());
  }

  /// The winner must be (nearly, for inexact numbers) the largest of its window, and the first of equals.
  void check_pooled(bool relu) {
    const int64_t P = c.P() / 2, Q = c.Q() / 2, count = c.K * P * Q * lanes;
    GuardedImage y(lanes, c.K, P, Q, 1, false);
    winners.assign(size_t(count + 128), -1);
    simd.forward(c.s, x.image(), w.data(), {bias.data(), relu, true, y.image(), winners.data() + 64});
    Comparison values{exact}, codes{exact};
    for (int64_t k = 0, i = 0; k < c.K; ++k)
      for (int64_t p = 0; p < P; ++p)
        for (int64_t q = 0; q < Q; ++q)
          for (int64_t n = 0; n < lanes; ++n, ++i) {
            Sum window[4], none;
            for (int j = 0; j < 4; ++j) window[j] = output(k, 2 * p + j / 2, 2 * q + j % 2, n);
            const auto less = [](const Sum& a, const Sum& b) { return a.value < b.value; };
            Sum best = *std::max_element(window, window + 4, less);
            const int winner = winners[size_t(64 + i)];
            if (relu && best.value <= 0) best.value = 0;
            values.check(y.at(k, p, q, n), best, i);
            if (exact) {
              const int expected = relu && best.value <= 0
                                       ? cpu::kNoWinner
                                       : int(std::max_element(window, window + 4, less) - window);
              none.add(expected);
              codes.check(float(winner), none, i);
            } else if (winner < 4) {
              codes.check(float(window[winner].value), best, i);
            }
          }
    CHECK(values.first == "");
    CHECK(codes.first == "");
    CHECK(y.floats().touched() == y.elements());
    CHECK(std::count(winners.begin(), winners.end(), -1) == 128);
    GuardedImage again(lanes, c.K, P, Q, 1, false);
    simd.forward(c.s, x.image(), w.data(), {bias.data(), relu, true, again.image(), nullptr});
    CHECK(again.floats().touched() == y.elements());
  }

  enum class Source { plain, relu, pooled };

  /// Both gradients of a random output gradient, together and alone.
  void check_backward(Source source) {
    const bool pooled = source == Source::pooled;
    const int64_t P = c.P(), Q = c.Q(), rows = pooled ? P / 2 : P, columns = pooled ? Q / 2 : Q;
    Numbers next(kind, 2);
    GuardedImage dy(lanes, c.K, rows, columns, 0), y(lanes, c.K, rows, columns, 0);
    GuardedImage whole(lanes, c.K, P, Q, 0);
    dy.fill(next);
    y.fill([&] { return std::max(next(), 0.0f); });
    winners.assign(size_t(c.K * rows * columns * lanes), 0);
    std::mt19937 engine(3);
    for (auto& code : winners) code = cpu::WinnerCode(engine() % 5);
    for (int64_t k = 0; k < c.K; ++k)
      for (int64_t p = 0; p < P; ++p)
        for (int64_t q = 0; q < Q; ++q)
          for (int64_t n = 0; n < lanes; ++n) {
            float& d = whole.at(k, p, q, n);
            if (!pooled)
              d = source == Source::relu && !(y.at(k, p, q, n) > 0) ? 0 : dy.at(k, p, q, n);
            else if (p / 2 < rows && q / 2 < columns)
              d = winners[size_t(((k * rows + p / 2) * columns + q / 2) * lanes + n)] == p % 2 * 2 + q % 2
                      ? dy.at(k, p / 2, q / 2, n)
                      : 0;
          }
    const cpu::LaneGradient g = {dy.image(), source == Source::relu ? y.image().data : nullptr,
                                 pooled ? winners.data() : nullptr, P, Q};
    check_gradients(g, whole, true, true);
    check_gradients(g, whole, true, false);
    check_gradients(g, whole, false, true);
  }

  void check_gradients(const cpu::LaneGradient& g, const GuardedImage& dy, bool with_weights, bool with_dx) {
    INFO("weights " << with_weights << ", dx " << with_dx);
    const cpu::LaneConvShape& s = c.s;
    GuardedImage dx(lanes, c.C, c.H, c.W, 1, false);
    const int64_t count = simd.weight_sums(s, c.C, c.K);
    GuardedFloats sums(count), bias_sums(c.K * lanes), dw(c.weights());
    GuardedFloats workspace(simd.workspace_floats(s, c.C, c.H, c.W, c.K, c.P(), c.Q()));
    sums.fill(0), bias_sums.fill(0);
    simd.backward(s, x.image(), w.data(), g, with_weights ? sums.data() : nullptr, bias_sums.data(),
                  with_dx ? dx.image() : cpu::LaneImage{}, workspace.data());
    check_bias(bias_sums, dy);
    CHECK(guards_hold(sums));
    CHECK(guards_hold(bias_sums));
    CHECK(guards_hold(workspace));
    if (with_weights) {
      // In two parts, as two threads would.
      simd.finish_weights(s, c.C, c.K, sums.data(), dw.data(), 0, c.K / 2);
      simd.finish_weights(s, c.C, c.K, sums.data(), dw.data(), c.K / 2, c.K);
      check_weights(dw, dy);
      CHECK(dw.touched() == dw.size());
    }
    if (with_dx) {
      check_dx(dx, dy);
      CHECK(dx.floats().touched() == dx.elements());
    }
  }

  static bool guards_hold(const GuardedFloats& floats) {
    for (int64_t i = 1; i <= 64; ++i)
      if (!GuardedFloats::is_guard(floats.data()[-i]) ||
          !GuardedFloats::is_guard(floats.data()[floats.size() + i - 1]))
        return false;
    return true;
  }

  void check_bias(const GuardedFloats& bias_sums, const GuardedImage& dy) {
    Comparison comparison{exact};
    for (int64_t k = 0; k < c.K; ++k)
      for (int64_t n = 0; n < lanes; ++n) {
        Sum sum;
        for (int64_t p = 0; p < c.P(); ++p)
          for (int64_t q = 0; q < c.Q(); ++q) sum.add(dy.value(k, p, q, n));
        comparison.check(bias_sums.data()[k * lanes + n], sum, k * lanes + n);
      }
    CHECK(comparison.first == "");
  }

  void check_weights(const GuardedFloats& dw, const GuardedImage& dy) {
    const cpu::LaneConvShape& s = c.s;
    Comparison comparison{exact};
    for (int64_t i = 0; i < dw.size(); ++i) {
      const int64_t t = i % s.S, r = i / s.S % s.R, channel = i / (s.R * s.S) % c.group_channels(),
                    k = i / (s.R * s.S * c.group_channels()),
                    from = k / (c.K / s.groups) * c.group_channels() + channel;
      Sum sum;
      for (int64_t p = 0; p < c.P(); ++p)
        for (int64_t q = 0; q < c.Q(); ++q)
          for (int64_t n = 0; n < lanes; ++n)
            sum.add(dy.value(k, p, q, n), x.value(from, p * s.stride - s.padding + r * s.dilation,
                                                  q * s.stride - s.padding + t * s.dilation, n));
      comparison.check(dw.data()[i], sum, i);
    }
    CHECK(comparison.first == "");
  }

  /// By scattering, the definition of the transpose.
  void check_dx(GuardedImage& dx, const GuardedImage& dy) {
    const cpu::LaneConvShape& s = c.s;
    std::vector<Sum> sums(size_t(dx.elements()));
    for (int64_t k = 0; k < c.K; ++k)
      for (int64_t channel = 0; channel < c.group_channels(); ++channel)
        for (int64_t p = 0; p < c.P(); ++p)
          for (int64_t q = 0; q < c.Q(); ++q)
            for (int64_t r = 0; r < s.R; ++r)
              for (int64_t t = 0; t < s.S; ++t) {
                const int64_t h = p * s.stride - s.padding + r * s.dilation,
                              v = q * s.stride - s.padding + t * s.dilation,
                              to = k / (c.K / s.groups) * c.group_channels() + channel;
                if (h < 0 || h >= c.H || v < 0 || v >= c.W) continue;
                for (int64_t n = 0; n < lanes; ++n)
                  sums[size_t(((to * c.H + h) * c.W + v) * lanes + n)].add(
                      weights_of(k, channel)[r * s.S + t], dy.value(k, p, q, n));
              }
    Comparison comparison{exact};
    for (int64_t i = 0; i < dx.elements(); ++i) {
      const int64_t pixel = i / lanes, channel = pixel / (c.H * c.W);
      comparison.check(dx.at(channel, pixel / c.W % c.H, pixel % c.W, i % lanes), sums[size_t(i)], i);
    }
    CHECK(comparison.first == "");
  }
};

}  // namespace uncial::test
