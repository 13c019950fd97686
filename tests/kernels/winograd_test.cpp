#include "kernels/winograd_case.h"

#include <algorithm>

#include "support/catch.h"
#include "uncial/core/isa.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::test::winograd;
using cpu::LaneEpilogue;
using cpu::LaneGradient;
using cpu::LaneImage;
using cpu::WinnerCode;

namespace {

/// y before pooling and ReLU, and the sums of |products|.
void direct_forward(const Run& run, Dense& y, Dense& size) {
  const Case& c = run.c;
  for (int64_t k = 0; k < c.K; ++k)
    if (c.bias) std::fill(y.at(k, 0, 0), y.at(k, 0, 0) + c.P * c.Q * run.lanes, run.bias[size_t(k)]);
  run.each_tap([&](int64_t k, int64_t channel, int64_t r, int64_t s, double weight) {
    for (int64_t p = 0; p < c.P; ++p) {
      const double* from = run.xs.at(channel, p + r, s);
      double *to = y.at(k, p, 0), *magnitude = size.at(k, p, 0);
      for (int64_t i = 0; i < c.Q * run.lanes; ++i) {
        to[i] += weight * from[i];
        magnitude[i] += std::abs(weight * from[i]);
      }
    }
  });
}

/// One pooled value against its window.
void check_window(const double* values, double magnitude, bool relu, float y, WinnerCode code, Error& error) {
  const double best = *std::max_element(values, values + 4);
  error.add(y, relu ? std::max(best, 0.) : best, magnitude);
  if (code != cpu::kNoWinner) error.add(values[code], best, magnitude);
}

Error check_forward(Run& run, Guarded<WinnerCode>& winners, LaneBuffer& y) {
  const Case& c = run.c;
  Guarded<float> workspace(run.simd.workspace_floats(c.C, c.cols(), c.K), kNaN);
  LaneBuffer skip(c.K, c.P, c.Q, 1, c.P + 2, c.Q + 2, run.lanes, kNaN);
  Numbers next(c.whole_numbers);
  skip.visit([&](float* v, int64_t, int64_t, int64_t, int kind) {
    for (int l = 0; l < run.lanes && kind == 0; ++l) v[l] = next(20);
  });
  LaneEpilogue epilogue{.bias = c.bias ? run.bias.data() : nullptr,
                        .relu = c.relu,
                        .pool = c.pool,
                        .y = y.image(),
                        .winners = c.pool ? winners.begin() : nullptr,
                        .skip = c.residual ? skip.image() : LaneImage{},
                        .stream = c.K % 3 == 1};
  run.simd.forward(run.x.image(), c.padding, run.u.begin(), epilogue, c.P, c.Q, workspace.begin());
  CHECK((workspace.guards_hold() && run.u.guards_hold() && winners.guards_hold() && y.guards_hold()));

  Dense all(c.K, c.P, c.Q, run.lanes), size(c.K, c.P, c.Q, run.lanes);
  direct_forward(run, all, size);
  Error error;
  bool untouched = true, consistent = true;
  y.visit([&](const float* v, int64_t k, int64_t p, int64_t q, int kind) {
    for (int l = 0; l < run.lanes; ++l) {
      if (kind) {
        untouched &= v[l] == 555;
      } else if (!c.pool) {
        const double exact = all.at(k, p, q)[l] + (c.residual ? double(skip.at(k, p, q)[l]) : 0);
        error.add(v[l], c.relu ? std::max(exact, 0.) : exact, size.at(k, p, q)[l]);
      } else {
        const double window[4] = {all.at(k, 2 * p, 2 * q)[l], all.at(k, 2 * p, 2 * q + 1)[l],
                                  all.at(k, 2 * p + 1, 2 * q)[l], all.at(k, 2 * p + 1, 2 * q + 1)[l]};
        const WinnerCode code = winners.begin()[((k * (c.P / 2) + p) * (c.Q / 2) + q) * run.lanes + l];
        check_window(window, size.at(k, 2 * p, 2 * q)[l], c.relu, v[l], code, error);
        consistent &= code >= 0 && code <= 4 && (code == cpu::kNoWinner) == (c.relu && v[l] == 0);
      }
    }
  });
  CHECK(untouched);
  CHECK(consistent);
  return error;
}

/// dy of the unpooled output, as a backward pass sees it.
Dense expand(const Run& run, LaneBuffer& dy, LaneBuffer& y, const Guarded<WinnerCode>& winners) {
  const Case& c = run.c;
  Dense all(c.K, c.P, c.Q, run.lanes);
  for (int64_t k = 0; k < c.K; ++k)
    for (int64_t p = 0; p < c.P; ++p)
      for (int64_t q = 0; q < c.Q; ++q)
        for (int l = 0; l < run.lanes; ++l) {
          double& to = all.at(k, p, q)[l];
          if (!c.pool) {
            to = c.relu && !(y.at(k, p, q)[l] > 0) ? 0 : dy.at(k, p, q)[l];
          } else if (p / 2 < c.P / 2 && q / 2 < c.Q / 2) {
            const int64_t window = (k * (c.P / 2) + p / 2) * (c.Q / 2) + q / 2;
            const bool won = winners.begin()[window * run.lanes + l] == p % 2 * 2 + q % 2;
            to = won ? dy.at(k, p / 2, q / 2)[l] : 0;
          }
        }
  return all;
}

Error compare_dw(const Run& run, const Dense& dy, const std::vector<float>& dw) {
  const Case& c = run.c;
  Error error;
  run.each_tap([&](int64_t k, int64_t channel, int64_t r, int64_t s, double) {
    double sum = 0, size = 0;
    for (int64_t p = 0; p < c.P; ++p)
      for (int64_t i = 0; i < c.Q * run.lanes; ++i) {
        const double product = dy.at(k, p, 0)[i] * run.xs.at(channel, p + r, s)[i];
        sum += product;
        size += std::abs(product);
      }
    error.add(dw[size_t(((k * c.C + channel) * c.taps + r) * c.taps + s)], 2 * sum, 2 * size);
  });
  return error;
}

Error compare_dx(const Run& run, const Dense& dy, LaneBuffer& dx) {
  const Case& c = run.c;
  Dense sum(c.C, c.rows(), c.cols(), run.lanes), size(c.C, c.rows(), c.cols(), run.lanes);
  run.each_tap([&](int64_t k, int64_t channel, int64_t r, int64_t s, double weight) {
    for (int64_t p = 0; p < c.P; ++p)
      for (int64_t i = 0; i < c.Q * run.lanes; ++i) {
        const double product = weight * dy.at(k, p, 0)[i];
        sum.at(channel, p + r, s)[i] += product;
        size.at(channel, p + r, s)[i] += std::abs(product);
      }
  });
  Error error;
  bool untouched = true;
  dx.visit([&](const float* v, int64_t channel, int64_t h, int64_t column, int kind) {
    for (int l = 0; l < run.lanes; ++l) {
      if (kind == 0)
        error.add(v[l], sum.at(channel, h + c.padding, column + c.padding)[l],
                  size.at(channel, h + c.padding, column + c.padding)[l]);
      if (kind == 2) untouched &= v[l] == 555;
    }
  });
  CHECK(untouched);
  CHECK(dx.guards_hold());
  return error;
}

/// Without sums, and without x, the input gradient is the same.
void check_input_gradient_alone(Run& run, const LaneGradient& dy, LaneBuffer& dx) {
  const Case& c = run.c;
  Guarded<float> workspace(run.simd.workspace_floats(c.C, c.cols(), c.K), kNaN);
  LaneBuffer alone(c.C, c.H(), c.W(), c.padding, c.rows(), c.cols(), run.lanes, 555);
  run.simd.backward({}, c.padding, run.u.begin(), dy, nullptr, nullptr, alone.image(), workspace.begin());
  CHECK((workspace.guards_hold() && alone.guards_hold()));
  bool same = true;
  alone.visit([&](const float* v, int64_t channel, int64_t h, int64_t column, int kind) {
    if (kind == 0) same &= std::equal(v, v + run.lanes, dx.at(channel, h, column));
  });
  CHECK(same);
}

/// Two backward passes into the same sums: the first without an input gradient.
void check_backward(Run& run, const Guarded<WinnerCode>& winners, LaneBuffer& y, Error& dw_error,
                    Error& dx_error) {
  const Case& c = run.c;
  const LaneImage& out = y.image();
  LaneBuffer dy(c.K, out.H, out.W, 1, out.H + 2, out.W + 2, run.lanes, kNaN);
  Numbers next(c.whole_numbers);
  dy.visit([&](float* v, int64_t, int64_t, int64_t, int kind) {
    for (int l = 0; l < run.lanes && kind == 0; ++l) v[l] = next(3);
  });
  LaneBuffer dx(c.C, c.H(), c.W(), c.padding, c.rows(), c.cols(), run.lanes, 555);
  dx.visit([&](float* v, int64_t, int64_t, int64_t, int kind) {
    if (kind < 2) std::fill(v, v + run.lanes, kNaN);
  });
  const LaneGradient gradient{.dy = dy.image(),
                              .relu_y = c.relu && !c.pool ? out.data : nullptr,
                              .winners = c.pool ? winners.begin() : nullptr,
                              .P = c.P,
                              .Q = c.Q};
  Guarded<float> workspace(run.simd.workspace_floats(c.C, c.cols(), c.K), kNaN);
  Guarded<float> sums(run.simd.weight_sums(c.C, c.K), 0), bias_sums(c.K * run.lanes, 0);
  LaneImage none = dx.image();
  none.data = nullptr;
  run.simd.backward(run.x.image(), c.padding, run.u.begin(), gradient, sums.begin(), nullptr, none,
                    workspace.begin());
  run.simd.backward(run.x.image(), c.padding, run.u.begin(), gradient, sums.begin(), bias_sums.begin(),
                    dx.image(), workspace.begin());
  CHECK((workspace.guards_hold() && sums.guards_hold() && bias_sums.guards_hold()));

  const Dense all = expand(run, dy, y, winners);
  std::vector<float> dw(run.w.size(), kNaN);
  check_input_gradient_alone(run, gradient, dx);
  const int64_t middle = c.K / 2 / 8 * 8;
  run.simd.finish_weights(c.C, c.K, sums.begin(), dw.data(), 0, middle);
  run.simd.finish_weights(c.C, c.K, sums.begin(), dw.data(), middle, c.K);
  dw_error = compare_dw(run, all, dw);
  dx_error = compare_dx(run, all, dx);
  Error bias_error;
  for (int64_t k = 0; k < c.K; ++k)
    for (int l = 0; l < run.lanes; ++l) {
      double sum = 0, size = 1;
      for (int64_t i = l; i < c.P * c.Q * run.lanes; i += run.lanes) {
        sum += all.at(k, 0, 0)[i];
        size += std::abs(all.at(k, 0, 0)[i]);
      }
      bias_error.add(bias_sums.begin()[k * run.lanes + l], sum, size);
    }
  CHECK(bias_error.relative() <= kTolerance);
}

struct Worst {
  double y = 0, dw = 0, dx = 0;
};

void check(const Case& c, Worst& worst) {
  INFO(c);
  Run run(c);
  const int64_t H = c.pool ? c.P / 2 : c.P, W = c.pool ? c.Q / 2 : c.Q;
  LaneBuffer y(c.K, H, W, 1, H + 2, W + 2, run.lanes, 555);
  Guarded<WinnerCode> winners(c.pool ? c.K * H * W * run.lanes : 0, 9);
  const Error error = check_forward(run, winners, y);
  CHECK(error.relative() <= kTolerance);
  Error dw, dx;
  check_backward(run, winners, y, dw, dx);
  CHECK(dw.relative() <= kTolerance);
  CHECK(dx.relative() <= kTolerance);
  worst = {std::max(worst.y, error.relative()), std::max(worst.dw, dw.relative()),
           std::max(worst.dx, dx.relative())};
}

/// Every extent with every channel count, both kinds of numbers, all epilogues; large images with few
/// channels.
std::vector<Case> cases(int64_t taps) {
  std::vector<Case> list;
  const int64_t channels[] = {1, 3, 16, 17, 32, 40};
  // Around one and several tiles of 4 and of 2.
  const std::vector<int64_t> extents = taps == 3 ? std::vector<int64_t>{1, 2, 3, 4, 5, 7, 8, 11, 13, 24, 26}
                                                 : std::vector<int64_t>{1, 2, 3, 4, 7, 12};
  const int64_t most_products = 540'000;  // a lane: the sums that they are compared with are slow
  int64_t n = 0;
  for (int64_t P : extents)
    for (int64_t Q : extents)
      for (int64_t padding = 0; padding < taps; ++padding) {
        Case c{channels[n % 6], channels[(n / 6 + n) % 6], P, Q, padding};
        ++n;
        c.taps = taps;  // H() and W() ask for it
        if (c.H() < 1 || c.W() < 1 || c.weights() * P * Q > most_products) continue;
        c.pool = n % 3 == 0;
        c.relu = n % 2 == 0;
        c.bias = n % 5 < 3;
        c.whole_numbers = n % 4 != 3;
        c.residual = !c.pool && n % 7 < 3;
        list.push_back(c);
      }
  for (int64_t C : channels)
    for (int64_t K : channels)
      if (taps == 3 || C == 17 || K == 17) list.push_back({C, K, 5, 6, 1, n++ % 2 == 0, n % 3 == 0, true});
  // Vectors of channels with AVX-512: 4, 4 + 1 = 3 + 2, 4 + 2, 4 + 3.
  for (int64_t C : {64, 70, 96, 112})
    for (int64_t K : {8, 24})
      if (taps == 3 || K == 8) list.push_back({C, K, 6, 9, 1, n++ % 2 == 0, n % 3 == 0, true, C != 96});
  list.push_back({32, 40, 11, 11, 0, true, true, true, false});
  list.push_back({17, 16, 24, 26, 1, false, true, true, false});
  for (Case& c : list) c.taps = taps;
  return list;
}

}  // namespace

TEST_CASE("Winograd convolutions: output, winners and gradients, on every instruction set") {
  for (const std::string& isa : isas()) {
    INFO(isa);
    set_isa(isa);
    for (const int64_t taps : {3, 5}) {
      Worst worst;
      for (const Case& c : cases(taps)) check(c, worst);
      INFO(taps << " taps, largest errors: y " << worst.y << ", dw " << worst.dw << ", dx " << worst.dx);
      CHECK(worst.y > 0);  // float rounding must show: the comparison is not with itself
    }
  }
  set_isa("");
}

TEST_CASE("Winograd convolutions: the first of equal pixels wins, and nobody below zero") {
  for (const std::string& isa : isas()) {
    INFO(isa);
    set_isa(isa);
    Run run({.C = 3, .K = 2, .P = 8, .Q = 6, .padding = 1, .pool = true, .relu = true, .bias = true});
    run.bias = {2, -3};
    run.x.visit([&](float* v, int64_t, int64_t, int64_t, int kind) {
      if (kind < 2) std::fill(v, v + run.lanes, 0.f);
    });
    std::fill(run.xs.v.begin(), run.xs.v.end(), 0.);
    LaneBuffer y(2, 4, 3, 1, 6, 5, run.lanes, 555);
    Guarded<WinnerCode> winners(2 * 4 * 3 * run.lanes, 9);
    CHECK(check_forward(run, winners, y).error == 0);
    for (int64_t i = 0; i < winners.size(); ++i)
      REQUIRE(winners.begin()[i] == (i < winners.size() / 2 ? 0 : cpu::kNoWinner));
  }
  set_isa("");
}
