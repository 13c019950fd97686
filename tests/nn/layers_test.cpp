// Layers against the operators that they are made of; the operators have tests of their own.
#include <cmath>
#include <thread>

#include "support/check_op.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using test::check_close;
using test::check_error;
using test::same_bits;

namespace {

Tensor run(const nn::Module& module, const Tensor& x) {
  nn::Context context;
  return module.forward(x, context);
}

std::shared_ptr<nn::Module> wide(const nn::Module& module) {
  auto clone = module.clone();
  clone->to(DType::float64);
  return clone;
}

}  // namespace

TEST_CASE("layers: dense and convolutions are their operators") {
  const nn::Dense dense(5, 3), plain(5, 3, {.bias = false});
  const Tensor x = randn({4, 5}, 1);
  check_close(run(dense, x), linear(x, dense.weight, dense.bias), 0);
  check_close(run(plain, x), linear(x, plain.weight), 0);
  CHECK_FALSE(plain.bias.defined());
  CHECK(run(dense, randn({2, 7, 5}, 1)).shape() == Shape{2, 7, 3});
  check_error([&] { run(dense, zeros({4, 6})); }, "(4, 6)");

  const Tensor image = randn({2, 4, 9, 9}, 2);
  const nn::Conv2d conv(4, 6, {.kernel = 3, .stride = 2, .padding = 1, .dilation = 2, .groups = 2});
  CHECK(conv.weight.shape() == Shape{6, 2, 3, 3});
  check_close(run(conv, image),
              conv2d(image, conv.weight, conv.bias, {.stride = 2, .padding = 1, .dilation = 2, .groups = 2}),
              0);

  const nn::ConvTranspose2d up(4, 6,
                               {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1, .groups = 2});
  CHECK(up.weight.shape() == Shape{4, 3, 3, 3});
  CHECK(up.bias.shape() == Shape{6});
  const Tensor y = run(up, image);
  CHECK(y.shape() == Shape{2, 6, 18, 18});
  check_close(y,
              conv_transpose2d(image, up.weight, up.bias,
                               {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2}),
              0);
}

TEST_CASE("layers: constructors refuse what cannot work") {
  check_error([] { nn::Dense(0, 3); }, "Dense");
  check_error([] { nn::Conv2d(3, 4, {.groups = 2}); }, "groups = 2");
  check_error([] { nn::Conv2d(3, 4, {.stride = 0}); }, "stride >= 1");
  check_error([] { nn::ConvTranspose2d(3, 3, {.output_padding = 1}); }, "output_padding");
  check_error([] { nn::MaxPool2d({.kernel = 2, .padding = 2}); }, "padding <= kernel / 2");
  check_error([] { nn::Dropout(1.0); }, "[0, 1)");
  check_error([] { nn::BatchNorm2d(0); }, "features >= 1");
  check_error([] { nn::LayerNorm(3, {.epsilon = 0}); }, "epsilon > 0");
}

TEST_CASE("layers: pools and flatten") {
  const Tensor x = randn({2, 3, 8, 8}, 3);
  check_close(run(nn::MaxPool2d(2), x), max_pool2d(x, {.kernel = 2}), 0);
  check_close(run(nn::MaxPool2d({.kernel = 3, .stride = 2, .padding = 1}), x),
              max_pool2d(x, {.kernel = 3, .stride = 2, .padding = 1}), 0);
  check_close(run(nn::AvgPool2d(4), x), avg_pool2d(x, {.kernel = 4}), 0);
  check_close(run(nn::GlobalAvgPool2d(), x), global_avg_pool2d(x), 0);
  CHECK(run(nn::Flatten(), x).shape() == Shape{2, 192});
  CHECK(run(nn::Flatten(2), x).shape() == Shape{2, 3, 64});
}

TEST_CASE("layers: activations") {
  const Tensor x = randn({3, 7}, 4);
  check_close(run(nn::ReLU(), x), relu(x), 0);
  check_close(run(nn::LeakyReLU(0.2), x), leaky_relu(x, 0.2), 0);
  check_close(run(nn::ELU(0.7), x), elu(x, 0.7), 0);
  check_close(run(nn::GELU(), x), gelu(x), 0);
  check_close(run(nn::SiLU(), x), silu(x), 0);
  check_close(run(nn::Sigmoid(), x), sigmoid(x), 0);
  check_close(run(nn::Tanh(), x), tanh(x), 0);
  check_close(run(nn::Softplus(), x), softplus(x), 0);
  check_close(run(nn::Softmax(), x), softmax(x), 0);
  check_close(run(nn::Softmax(0), x), softmax(x, 0), 0);
  check_close(run(nn::LogSoftmax(), x), log_softmax(x), 0);
}

TEST_CASE("layers: batch normalisation keeps running statistics by PyTorch's formula") {
  const auto norm = wide(nn::BatchNorm2d(2, {.momentum = 0.3}));
  double mean[2] = {0, 0}, variance[2] = {1, 1};
  for (uint64_t step = 0; step < 3; ++step) {
    const Tensor x = randn({4, 2, 3, 5}, step, DType::float64) * 3.0 + 1.0;
    const Tensor y = (*norm)(x);
    const double* v = x.data<double>();
    for (int64_t c = 0; c < 2; ++c) {
      constexpr double n = 4 * 15;
      double batch_mean = 0, squares = 0;
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t l = 0; l < 15; ++l) batch_mean += v[(i * 2 + c) * 15 + l] / n;
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t l = 0; l < 15; ++l) squares += std::pow(v[(i * 2 + c) * 15 + l] - batch_mean, 2);
      mean[c] = 0.7 * mean[c] + 0.3 * batch_mean;
      variance[c] = 0.7 * variance[c] + 0.3 * squares / (n - 1);
      const double expected = (v[c * 15] - batch_mean) / std::sqrt(squares / n + 1e-5);
      CHECK(y.at({0, c, 0, 0}) == Approx(expected).epsilon(1e-12));
    }
    for (int64_t c = 0; c < 2; ++c) {
      CHECK(norm->named_buffers()[0].second.at({c}) == Approx(mean[c]).epsilon(1e-12));
      CHECK(norm->named_buffers()[1].second.at({c}) == Approx(variance[c]).epsilon(1e-12));
    }
  }
  norm->eval();
  const Tensor before = norm->named_buffers()[0].second.clone();
  const Tensor x = randn({1, 2, 1, 1}, 9, DType::float64);
  for (int64_t c = 0; c < 2; ++c)
    CHECK((*norm)(x).at({0, c, 0, 0}) ==
          Approx((x.at({0, c, 0, 0}) - mean[c]) / std::sqrt(variance[c] + 1e-5)).epsilon(1e-12));
  CHECK(same_bits(before, norm->named_buffers()[0].second));
}

TEST_CASE("layers: normalisations check their shapes and learn scale and shift") {
  const nn::BatchNorm1d one(3);
  CHECK(one(randn({4, 3}, 1)).shape() == Shape{4, 3});
  CHECK(one(randn({4, 3, 5}, 1)).shape() == Shape{4, 3, 5});
  check_error([&] { one(zeros({4, 3, 5, 5})); }, "BatchNorm1d");
  check_error([] { nn::BatchNorm2d(3)(zeros({3, 4, 4})); }, "unsqueeze(0)");
  CHECK(nn::BatchNorm1d(3, {.affine = false}).parameters().empty());

  const nn::LayerNorm layer(6);
  const Tensor x = randn({2, 6}, 5);
  check_close(run(layer, x), layer_norm(x, ones({6}), zeros({6})), 0);
  layer.weight.fill_(2);
  layer.bias.fill_(1);
  check_close(run(layer, x), layer_norm(x, full({6}, 2), ones({6})), 0);
  check_error([&] { run(layer, zeros({2, 5})); }, "(..., 6)");
}

TEST_CASE("layers: residual adds the shortcut or its projection") {
  const nn::Dense body(4, 4), to3(4, 3), shortcut(4, 3, {.bias = false});
  const Tensor x = randn({2, 4}, 6);
  const nn::Residual residual(body);  // first: it gives the shared parameters start values of their new path
  check_close(run(residual, x), linear(x, body.weight, body.bias) + x, 0);
  const nn::Residual projected(to3, shortcut);
  check_close(run(projected, x), linear(x, to3.weight, to3.bias) + linear(x, shortcut.weight), 0);
  CHECK(projected.named_parameters().back().first == "projection.weight");
}

TEST_CASE("layers: a gradient reaches every parameter of a net") {
  const auto net = wide(nn::Sequential(
      nn::Conv2d(1, 2, {.kernel = 3}), nn::BatchNorm2d(2), nn::SiLU(), nn::AvgPool2d(2),
      nn::ConvTranspose2d(2, 2, {.kernel = 2, .stride = 2}), nn::Residual(nn::Conv2d(2, 2, {.padding = 1})),
      nn::Flatten(), nn::LayerNorm(2 * 4 * 4), nn::Dense(32, 3)));
  const Tensor x = randn({3, 1, 6, 6}, 7, DType::float64);
  const Tensors parameters = net->parameters();
  square((*net)(x)).sum().backward();
  const auto loss = [&] { return square((*net)(x)).sum().item(); };
  for (const Tensor& p : parameters) {
    REQUIRE(p.grad().defined());
    double* value = p.data<double>();
    const int64_t i = p.size() / 2;
    const double before = value[i], h = 1e-5;
    value[i] = before + h;
    const double above = loss();
    value[i] = before - h;
    const double below = loss();
    value[i] = before;
    CHECK(p.grad().flatten().at({i}) == Approx((above - below) / (2 * h)).epsilon(1e-5).margin(1e-7));
  }
}

TEST_CASE("layers: one net serves four threads") {
  nn::Sequential net(nn::Conv2d(1, 4, {.kernel = 3}), nn::BatchNorm2d(4), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Flatten(), nn::Dropout(0.5), nn::Dense(4 * 5 * 5, 10));
  net.eval();
  Tensors inputs, expected, actual(4);
  for (uint64_t i = 0; i < 4; ++i) {
    inputs.push_back(randn({3, 1, 12, 12}, i));
    expected.push_back(net(inputs.back()));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) actual[i] = net(inputs[i]);
    });
  for (std::thread& t : threads) t.join();
  for (size_t i = 0; i < 4; ++i) CHECK(same_bits(actual[i], expected[i]));
}
