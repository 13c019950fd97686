#include "uncial/nn/init.h"

#include <cmath>

#include "support/check_op.h"
#include "uncial/nn/layers.h"

using namespace uncial;
using test::check_error;

namespace {

struct Moments {
  double mean = 0, variance = 0, lowest = 0, highest = 0;
};

Moments moments(const Tensor& x) {
  Moments m;
  const double* v = x.data<double>();
  const auto n = double(x.size());
  for (int64_t i = 0; i < x.size(); ++i) {
    m.mean += v[i] / n;
    m.lowest = std::min(m.lowest, v[i]);
    m.highest = std::max(m.highest, v[i]);
  }
  for (int64_t i = 0; i < x.size(); ++i) m.variance += (v[i] - m.mean) * (v[i] - m.mean) / n;
  return m;
}

Tensor filled(const nn::Initializer& start, const Shape& shape, DType dtype = DType::float64) {
  const Tensor x = empty(shape, dtype);
  Generator generator(7, Purpose::initial_weights, 1);
  start(x, generator);
  return x;
}

// 64 x 32 x 5 x 5 = 51,200 values: fan_in 800, fan_out 1600. The standard error of a mean is deviation / 226,
// that of a variance below 1 %; the bounds are five of those.
const Shape kWeight{64, 32, 5, 5};
constexpr double kFanIn = 800, kFanOut = 1600;

void check_uniform(const nn::Initializer& start, double variance) {
  const Moments m = moments(filled(start, kWeight));
  const double bound = std::sqrt(3 * variance);
  CHECK(std::abs(m.mean) < 5 * std::sqrt(variance) / 226);
  CHECK(m.variance == Approx(variance).epsilon(0.02));
  CHECK(m.highest <= bound);
  CHECK(m.lowest >= -bound);
  CHECK(m.highest > 0.99 * bound);
  CHECK(m.lowest < -0.99 * bound);
}

void check_normal(const nn::Initializer& start, double variance) {
  const Moments m = moments(filled(start, kWeight));
  CHECK(std::abs(m.mean) < 5 * std::sqrt(variance) / 226);
  CHECK(m.variance == Approx(variance).epsilon(0.035));
  CHECK(m.highest > 3.5 * std::sqrt(variance));  // a uniform one stops at 1.7 deviations
}

}  // namespace

TEST_CASE("init: fans of dense and convolution weights") {
  CHECK(nn::fans_of({10, 784}).in == 784);
  CHECK(nn::fans_of({10, 784}).out == 10);
  CHECK(nn::fans_of(kWeight).in == 800);
  CHECK(nn::fans_of(kWeight).out == 1600);
  check_error([] { nn::fans_of({10}); }, "(out, in, ...)");
}

TEST_CASE("init: moments and bounds") {
  check_uniform(nn::init::uniform(0.25), 0.25 * 0.25 / 3);
  check_uniform(nn::init::fan_in_uniform(800), 1 / kFanIn / 3);
  check_uniform(nn::init::he_uniform(), 2 / kFanIn);
  check_uniform(nn::init::glorot_uniform(), 2 / (kFanIn + kFanOut));
  check_uniform(nn::init::lecun_uniform(), 1 / kFanIn);
  check_normal(nn::init::normal(0.3), 0.09);
  check_normal(nn::init::he_normal(), 2 / kFanIn);
  check_normal(nn::init::glorot_normal(), 2 / (kFanIn + kFanOut));
  check_normal(nn::init::lecun_normal(), 1 / kFanIn);
  const Moments c = moments(filled(nn::init::constant(0.5), {3, 4}));
  CHECK(c.mean == 0.5);
  CHECK(c.variance == 0);
}

TEST_CASE("init: orthogonal rows or columns") {
  for (const Shape& shape : {Shape{6, 6}, Shape{4, 9}, Shape{9, 4}, Shape{8, 3, 2, 2}, Shape{1, 5}}) {
    const Tensor w = filled(nn::init::orthogonal(1.5), shape);
    const int64_t rows = shape[0], cols = w.size() / rows;
    const bool tall = rows > cols;
    const double* v = w.data<double>();
    const int64_t vectors = tall ? cols : rows, length = tall ? rows : cols;
    const auto at = [&](int64_t vector, int64_t i) {
      return tall ? v[i * cols + vector] : v[vector * cols + i];
    };
    for (int64_t a = 0; a < vectors; ++a)
      for (int64_t b = 0; b < vectors; ++b) {
        double product = 0;
        for (int64_t i = 0; i < length; ++i) product += at(a, i) * at(b, i);
        CHECK(std::abs(product - (a == b ? 2.25 : 0.0)) < 1e-12);
      }
  }
  CHECK(filled(nn::init::orthogonal(), {0, 3}).empty());
  check_error([] { filled(nn::init::orthogonal(), {3}); }, "init::orthogonal");
}

TEST_CASE("init: uniform values are those of the generator, which goes on behind them") {
  for (int64_t size : {1, 63, 64, 65, 200, 70'001}) {
    Generator one(7), other(7);
    const Tensor x = empty({size}, DType::float64);
    nn::init::uniform(2)(x, one);
    int64_t wrong = 0;
    for (double value : x.span<double>()) wrong += value != 2 * (2 * other.uniform() - 1);
    CHECK(wrong == 0);
    CHECK(one.position() == other.position());
  }
}

TEST_CASE("init: orthogonal matrices are uniform: no direction and no sign is preferred") {
  // The first entry of a uniform vector of 3 has mean 0 and variance 1/3; without the sign fix the means of
  // the diagonal are far below 0. Five standard errors each.
  constexpr int kDraws = 3000;
  std::vector<double> sums(9), squares(9);
  for (int draw = 0; draw < kDraws; ++draw) {
    const Tensor w = zeros({3, 3}, DType::float64);
    Generator generator(uint64_t(draw), Purpose::initial_weights, 1);
    nn::init::orthogonal()(w, generator);
    for (size_t i = 0; i < 9; ++i) {
      sums[i] += w.data<double>()[i];
      squares[i] += w.data<double>()[i] * w.data<double>()[i];
    }
  }
  for (size_t i = 0; i < 9; ++i) {
    CHECK(std::abs(sums[i] / kDraws) < 5 * 0.577 / std::sqrt(kDraws));
    CHECK(std::abs(squares[i] / kDraws - 1.0 / 3) < 5 * 0.298 / std::sqrt(kDraws));
  }
}

TEST_CASE("init: float32 values are the float64 ones rounded") {
  test::check_close(filled(nn::init::he_normal(), {8, 8}, DType::float32),
                    filled(nn::init::he_normal(), {8, 8}).to(DType::float32), 0);
}

TEST_CASE("init: layers take the initialisers they are given, else PyTorch's start") {
  const nn::Dense chosen(50, 40,
                         {.weight_init = nn::init::constant(0.5), .bias_init = nn::init::constant(-1)});
  test::check_close(chosen.weight, full({40, 50}, 0.5), 0);
  test::check_close(chosen.bias, full({40}, -1), 0);

  const nn::Conv2d conv(32, 64, {.kernel = 5});
  const Moments m = moments(conv.weight.detach().to(DType::float64));
  CHECK(m.variance == Approx(1 / kFanIn / 3).epsilon(0.02));
  CHECK(m.highest <= 1 / std::sqrt(kFanIn));
  const Moments b = moments(nn::Dense(400, 3000).bias.detach().to(DType::float64));
  CHECK(b.highest <= 0.05);  // 1 / sqrt(400)
  CHECK(b.highest > 0.049);
}
