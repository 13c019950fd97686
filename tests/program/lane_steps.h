#pragma once
/// Training steps of small networks, recorded and fused, against the same steps run operator by operator.

#include <cmath>
#include <functional>

#include "support/catch.h"
#include "uncial/uncial.h"

namespace uncial::test {

/// One network with its own weights, dropout keys and optimiser, and one step of training recorded.
struct Experiment {
  nn::Sequential net;
  nn::Context context{nn::Mode::train};
  optim::SGD sgd;
  Compiled step;

  Experiment(nn::Sequential recipe, bool fuse, Precision precision = Precision::float32)
      : net(recipe),
        sgd((net.initialize({.seed = 3}), net.parameters()), {.lr = 0.05, .momentum = 0.9}),
        step(compile([this](const Tensors& in) { return run(in); }, {.fuse = fuse})) {
    context.set_seed(11);
    context.set_epoch(2);
    context.set_precision(precision);
  }
  Tensors run(const Tensors& in) {
    context.set_samples(in[2]);
    const Tensor logits = context.run("", net, in[0]);
    const Tensor loss = cross_entropy(logits, in[1], {.label_smoothing = 0.1});
    loss.backward();
    sgd.step();
    context.apply_updates();
    sgd.zero_grad();
    return {loss.detach(), logits.detach()};
  }
};

inline Tensors batch_of(const Shape& image, int64_t n, uint64_t seed) {
  Shape shape{n};
  for (int64_t extent : image) shape.push_back(extent);
  const Tensor labels = zeros({n}, DType::int64);
  for (int64_t i = 0; i < n; ++i) labels.data<int64_t>()[i] = (i * 7 + int64_t(seed)) % 3;
  return {randn(shape, seed), labels, arange(0, double(n))};
}

inline double gap(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double worst = 0, largest = 1e-3;
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  for (int64_t i = 0; i < x.size(); ++i) {
    REQUIRE(std::isfinite(x.data<float>()[i]));
    worst = std::max(worst, std::abs(double(x.data<float>()[i]) - double(y.data<float>()[i])));
    largest = std::max(largest, std::abs(double(y.data<float>()[i])));
  }
  return worst / largest;
}

inline bool runs(const Compiled& step, const std::string& name) {
  for (const std::string& stage : step.program()->stages())
    if (stage.find(name) != std::string::npos) return true;
  return false;
}

/// Three steps both ways: losses, logits, all weights and statistics agree up to `slack` times rounding.
inline void check_net(const std::function<nn::Sequential()>& recipe, const Shape& image, int64_t n,
                      const std::string& must_run, Precision precision = Precision::float32,
                      double slack = 1) {
  Experiment fused(recipe(), true, precision), plain(recipe(), false, precision);
  for (uint64_t i = 0; i < 3; ++i) {
    const Tensors in = batch_of(image, n, i + 1);
    const Tensors a = fused.step(in), b = plain.step(in);
    INFO("step " << i);
    CHECK(gap(a[0], b[0]) < 1e-4 * slack);
    CHECK(gap(a[1], b[1]) < 1e-3 * slack);
  }
  REQUIRE(fused.step.program() != nullptr);
  INFO(fused.step.program()->describe());
  CHECK(runs(fused.step, must_run));
  const auto mine = fused.net.state_dict(), theirs = plain.net.state_dict();
  for (size_t i = 0; i < mine.size(); ++i) {
    INFO(mine[i].first);
    CHECK(gap(mine[i].second, theirs[i].second) < 2e-3 * slack);
  }
}

struct Case {
  const char* name;
  std::function<nn::Sequential()> net;
  Shape image;
  const char* must_run;
};

inline const std::vector<Case>& cases() {
  using namespace nn;
  static const std::vector<Case> all = {
      {"conv, relu, pool",
       [] {
         return Sequential(Conv2d(1, 5, {.kernel = 3}), ReLU(), MaxPool2d(2), Flatten(), Dense(5 * 36, 3));
       },
       {1, 14, 14},
       "conv2d+relu+max_pool2d"},
      {"winograd with padding, pool without relu, odd sides",
       [] {
         return Sequential(Conv2d(3, 9, {.kernel = 3, .padding = 1}), ReLU(),
                           Conv2d(9, 17, {.kernel = 3, .padding = 1}), MaxPool2d(2), Flatten(),
                           Dense(17 * 25, 3));
       },
       {3, 11, 10},
       "winograd+max_pool2d"},
      {"a cheap convolution row by row ahead of the next",
       [] {
         return Sequential(Conv2d(1, 9, {.kernel = 3}), ReLU(), Conv2d(9, 10, {.kernel = 3}), ReLU(),
                           MaxPool2d(2), Dropout(0.25), Flatten(), Dense(10 * 80, 3));
       },
       {1, 21, 25},
       "conv2d+relu > winograd+relu+max_pool2d"},
      {"the same with 3 channels and padding, without relu and pool",
       [] {
         return Sequential(Conv2d(3, 11, {.kernel = 3, .padding = 1}),
                           Conv2d(11, 9, {.kernel = 3, .padding = 1}), ReLU(), Flatten(),
                           Dense(9 * 15 * 23, 3));
       },
       {3, 15, 23},
       "winograd_gradient > conv2d_gradient"},
      {"the same with stride ahead, and a bias of one only",
       [] {
         return Sequential(Conv2d(1, 11, {.kernel = 5, .stride = 2, .padding = 2, .bias = false}), ReLU(),
                           Conv2d(11, 9, {.kernel = 3, .padding = 2}), Tanh(), Flatten(),
                           Dense(9 * 12 * 16, 3));
       },
       {1, 19, 27},
       "winograd_gradient > conv2d_gradient"},
      {"the same ahead of 5x5 filters",
       [] {
         return Sequential(Conv2d(1, 10, {.kernel = 3}), ReLU(), Conv2d(10, 9, {.kernel = 5, .padding = 3}),
                           ReLU(), MaxPool2d(2), Flatten(), Dense(9 * 42, 3));
       },
       {1, 13, 15},
       "winograd_gradient > conv2d_gradient"},
      {"5x5 filters on channels that share vectors, nothing computed ahead",
       [] {
         return Sequential(Conv2d(1, 8, {.kernel = 3}), ReLU(), Conv2d(8, 9, {.kernel = 5}), ReLU(),
                           MaxPool2d(2), Flatten(), Dense(9 * 12, 3));
       },
       {1, 13, 15},
       "winograd+relu+max_pool2d"},
      {"dropout behind pool, before and after flatten",
       [] {
         return Sequential(Conv2d(1, 8, {.kernel = 3}), ReLU(), MaxPool2d(2), Dropout(0.25),
                           Conv2d(8, 16, {.kernel = 3, .padding = 1}), ReLU(), MaxPool2d(2), Flatten(),
                           Dropout(0.5), Dense(16 * 9, 3));
       },
       {1, 14, 14},
       "winograd+relu+max_pool2d"},
      {"batch norm behind pool",
       [] {
         return Sequential(Conv2d(1, 8, {.kernel = 5, .padding = 2, .bias = false}), MaxPool2d(2),
                           BatchNorm2d(8), ReLU(), Conv2d(8, 12, {.kernel = 3, .padding = 1, .bias = false}),
                           MaxPool2d(2), BatchNorm2d(12), ReLU(), Flatten(), Dropout(0.3), Dense(12 * 9, 3));
       },
       {1, 12, 12},
       "batch_norm+relu"},
      {"batch norm before relu before pool, dropout between",
       [] {
         return Sequential(Conv2d(2, 10, {.kernel = 3}), BatchNorm2d(10), ReLU(), MaxPool2d(2), Dropout(0.2),
                           Conv2d(10, 11, {.kernel = 3, .padding = 1}), Tanh(), AvgPool2d(2), Flatten(),
                           Dense(44, 20), BatchNorm1d(20), ReLU(), Dense(20, 3));
       },
       {2, 11, 11},
       "avg_pool2d"},
      {"layer norm between dense layers, and of an image",
       [] {
         return Sequential(Conv2d(1, 8, {.kernel = 3}), ReLU(), LayerNorm(7), MaxPool2d(2), Flatten(),
                           Dense(8 * 12, 24), LayerNorm(24), ReLU(), Dropout(0.2), Dense(24, 10),
                           LayerNorm(10, {.affine = false}), Dense(10, 3));
       },
       {1, 10, 9},
       "layer_norm_gradient"},
      {"stride, dilation, groups, 1x1, overlapping pool",
       [] {
         return Sequential(Conv2d(4, 8, {.kernel = 3, .stride = 2, .padding = 1}), LeakyReLU(0.1),
                           Conv2d(8, 8, {.kernel = 3, .padding = 2, .dilation = 2, .groups = 4}), SiLU(),
                           Conv2d(8, 6, {.kernel = 1}),
                           MaxPool2d(PoolOptions{.kernel = 3, .stride = 2, .padding = 1}), Flatten(),
                           Dense(6 * 9, 3));
       },
       {4, 12, 12},
       "conv2d"},
      {"residual blocks",
       [] {
         const auto block = [](int64_t c) {
           return Residual(
               Sequential(Conv2d(c, c, {.kernel = 3, .padding = 1, .bias = false}), BatchNorm2d(c), ReLU(),
                          Conv2d(c, c, {.kernel = 3, .padding = 1, .bias = false}), BatchNorm2d(c)));
         };
         return Sequential(Conv2d(1, 8, {.kernel = 3, .padding = 1}), block(8), ReLU(), block(8), ReLU(),
                           GlobalAvgPool2d(), Flatten(), Dense(8, 3));
       },
       {1, 9, 8},
       "add+relu_gradient+batch_norm gradient sums"},
      {"residual blocks without relu, and with a projection",
       [] {
         const auto body = [](int64_t from, int64_t to) {
           return Sequential(Conv2d(from, to, {.kernel = 3, .padding = 1}), BatchNorm2d(to), ReLU(),
                             Conv2d(to, to, {.kernel = 1}), BatchNorm2d(to));
         };
         return Sequential(Conv2d(2, 6, {.kernel = 3, .bias = false}), BatchNorm2d(6), Residual(body(6, 6)),
                           ReLU(),
                           Residual(body(6, 9), Sequential(Conv2d(6, 9, {.kernel = 1}), BatchNorm2d(9))),
                           ReLU(), GlobalAvgPool2d(), Flatten(), Dense(9, 3));
       },
       {2, 9, 8},
       "| add+batch_norm gradient sums"},
      {"depthwise convolutions and a global pool of an image that others read",
       [] {
         return Sequential(Conv2d(2, 9, {.kernel = 3, .padding = 1}), ReLU(),
                           Conv2d(9, 9, {.kernel = 3, .stride = 2, .padding = 1, .groups = 9}), Tanh(),
                           Conv2d(9, 9, {.kernel = 5, .padding = 2, .groups = 9}), ReLU(),
                           Residual(Conv2d(9, 9, {.kernel = 3, .padding = 1})), GlobalAvgPool2d(), Flatten(),
                           Dense(9, 3));
       },
       {2, 13, 11},
       "| spread over pixels"},
      {"perceptron with a layer too large for the cache",
       [] {
         return Sequential(Flatten(), Dense(700, 300), ReLU(), Dropout(0.2), Dense(300, 20), Tanh(),
                           Dense(20, 3));
       },
       {7, 10, 10},
       "linear+relu (batch)"},
  };
  return all;
}

}  // namespace uncial::test
