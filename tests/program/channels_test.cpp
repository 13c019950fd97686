// Small batches, with the channels in the lanes of vectors: what a fused program computes against the same
// recording run operator by operator.

#include <cmath>
#include <cstring>
#include <functional>

#include "support/catch.h"
#include "support/check_op.h"
#include "support/isas.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/parallel.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"

using namespace uncial;
using test::Threads;

namespace {

using Net = std::function<Tensor(const Tensor&)>;

/// Largest difference of two tensors, relative to the largest element.
double gap(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double most = 0, scale = 1e-30;
  const Tensor x = a.contiguous(), y = b.contiguous();
  for (int64_t i = 0; i < x.size(); ++i) {
    const double u = double(x.view().as<const float>()[i]), v = double(y.view().as<const float>()[i]);
    most = std::max(most, std::isfinite(u) ? std::abs(u - v) : 1e30);
    scale = std::max(scale, std::abs(v));
  }
  return most / scale;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.view().data, b.view().data, size_t(a.bytes())) == 0;
}

Compiled compiled(const Net& net, bool fuse) {
  return compile(
      [&net](const Tensors& in) {
        const NoGrad no_grad;
        return Tensors{net(in[0])};
      },
      {.fuse = fuse});
}

/// How many stages of a program have `part` in their names.
int64_t stages_with(const Compiled& step, std::string_view part) {
  int64_t found = 0;
  for (const std::string& name : step.program()->stages()) found += name.find(part) != std::string::npos;
  return found;
}

/// On every instruction set and for batches that do not fill its lanes, and on narrow sets for some that do.
void check_net(const Net& net, const Shape& sample, double tolerance = 2e-5) {
  test::for_each_isa([&](const std::string&) {
    Compiled fused = compiled(net, true), plain = compiled(net, false);
    for (int64_t N : {1, 2, 3, 7, 15}) {
      const Tensor x = randn({N, sample[0], sample[1], sample[2]}, uint64_t(N));
      CAPTURE(N);
      const Tensor expected = plain({x})[0].clone();
      CHECK(gap(fused({x})[0], expected) < tolerance);
      CHECK(gap(fused({x})[0], expected) < tolerance);  // replayed
      if (N == 1) CHECK(stages_with(fused, "channel") > 0);
    }
  });
}

struct Weights {
  uint64_t seed = 1;
  Tensor operator()(const Shape& shape) { return randn(shape, ++seed) * 0.3; }
};

/// A random choice, the same in every run.
class Choices {
 public:
  explicit Choices(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  int64_t operator()(int64_t from, int64_t to) {
    state_ = state_ * 1664525u + 1013904223u;
    return from + int64_t(state_ >> 16) % (to - from + 1);
  }

 private:
  uint32_t state_;
};

/// Convolutions of any extents, with or without bias, normalisation, activation, pooling and residual
/// addition.
Net random_net(uint32_t seed, Shape& sample) {
  Choices choose(seed);
  Weights weights{seed * 1000};
  int64_t C = choose(1, 4) == 4 ? choose(5, 40) : choose(1, 3), H = choose(6, 20), W = choose(6, 20);
  sample = {C, H, W};
  std::vector<Net> layers;
  for (int64_t i = choose(1, 4); i > 0; --i) {
    const int64_t kernel = choose(1, std::min<int64_t>({7, H, W})), stride = choose(1, 3) == 1 ? 2 : 1;
    const int64_t padding = choose(0, kernel / 2), K = choose(1, 4) == 1 ? C : choose(1, 70);
    const Tensor w = weights({K, C, kernel, kernel}), b = weights({K});
    const ConvOptions options{.stride = stride, .padding = padding};
    const bool with_bias = choose(0, 1) == 1;
    layers.push_back([=](const Tensor& x) { return conv2d(x, w, with_bias ? b : Tensor(), options); });
    H = (H + 2 * padding - kernel) / stride + 1, W = (W + 2 * padding - kernel) / stride + 1, C = K;
    if (choose(0, 2) == 0) {
      const Tensor scale = weights({C}), shift = weights({C}), mean = weights({C}),
                   variance = square(weights({C}));
      layers.push_back(
          [=](const Tensor& x) { return batch_norm_inference(x, scale, shift, mean, variance); });
    }
    switch (choose(0, 5)) {
      case 0:
        layers.push_back([](const Tensor& x) { return tanh(x); });
        break;
      case 1:
        layers.push_back([](const Tensor& x) { return x + sigmoid(x); });
        break;
      case 2:
        break;
      default:
        layers.push_back([](const Tensor& x) { return relu(x); });
    }
    if (std::min(H, W) >= 3 && choose(0, 1) == 1) {
      const int64_t window = choose(2, 3);
      const PoolOptions pool{.kernel = window, .stride = 2};
      const bool max = choose(0, 2) > 0;
      layers.push_back([=](const Tensor& x) { return max ? max_pool2d(x, pool) : avg_pool2d(x, pool); });
      H = (H - window) / 2 + 1, W = (W - window) / 2 + 1;
    }
    if (std::min(H, W) < 2) break;
  }
  const Tensor w = weights({10, C * H * W}), b = weights({10});
  layers.push_back([=](const Tensor& x) { return linear(flatten(x, 1), w, b); });
  return [layers](Tensor x) {
    for (const Net& layer : layers) x = layer(x);
    return x;
  };
}

}  // namespace

TEST_CASE("channels in lanes: random networks agree with single operators") {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Shape sample;
    const Net net = random_net(seed, sample);
    check_net(net, sample, 1e-4);
  }
}

TEST_CASE("channels in lanes: what cannot be lowered runs as recorded, between what can") {
  Weights w;
  const Tensor w1 = w({8, 3, 3, 3}), b1 = w({8}), grouped = w({8, 2, 3, 3}), w2 = w({33, 8, 3, 3}),
               w3 = w({5, 33});
  const Net net = [=](const Tensor& x) {
    const Tensor a = relu(conv2d(x, w1, b1, {.padding = 1}));
    const Tensor g = conv2d(a, grouped, {}, {.padding = 1, .groups = 4});
    const Tensor c = conv2d(g.slice(2, {.start = 1, .stop = 7}).contiguous(), w2, {}, {.dilation = 2});
    return softmax(matmul(flatten(global_avg_pool2d(c), 1), w3.transpose()));
  };
  check_net(net, {3, 9, 8});
}

TEST_CASE(
    "channels in lanes: residual blocks, normalisation before and behind, images that leave the program") {
  Weights w;
  const Tensor w0 = w({20, 1, 5, 5}), w1 = w({20, 20, 3, 3}), w2 = w({20, 20, 3, 3}), w3 = w({40, 20, 1, 1});
  const Tensor scale = w({20}), shift = w({20}), mean = w({20}), variance = square(w({20}));
  const auto norm = [=](const Tensor& x) { return batch_norm_inference(x, scale, shift, mean, variance); };
  const Net net = [=](const Tensor& x) {
    const Tensor a = conv2d(x, w0, {}, {.stride = 2, .padding = 2});
    const Tensor b = norm(conv2d(relu(norm(a)), w1, {}, {.padding = 1}));
    const Tensor c = relu(conv2d(b, w2, {}, {.padding = 1}) + a);
    return conv2d(c, w3) * 0.5;
  };
  check_net(net, {1, 28, 26});
}

TEST_CASE("channels in lanes: dense layers, with and without bias, of any extents") {
  Weights w;
  for (int64_t D : {1, 7, 16, 84, 400, 1025}) {
    const Tensor w1 = w({3, D}), w2 = w({130, 3}), b2 = w({130}), w3 = w({1, 130}), b3 = w({1});
    const Net net = [=](const Tensor& x) {
      const Tensor h = relu(matmul(flatten(x, 1), w1.transpose()));
      return linear(relu(linear(h, w2, b2)), w3, b3);
    };
    CAPTURE(D);
    check_net(net, {1, 1, D});
  }
}

namespace {

/// Large enough that every kind of stage is cut into tasks.
struct LargeNet {
  Weights w;
  Tensor w1 = w({32, 3, 3, 3}), w2 = w({48, 32, 3, 3}), w3 = w({48, 48, 5, 5}), b3 = w({48}),
         w4 = w({128, 1200}), b4 = w({128});
  Tensor operator()(const Tensor& x) const {
    const Tensor a = relu(conv2d(x, w1, {}, {.padding = 1}));
    const Tensor b = max_pool2d(relu(conv2d(a, w2, {}, {.padding = 1})));
    return linear(flatten(max_pool2d(conv2d(b, w3, b3)), 1), w4, b4);
  }
};

}  // namespace

TEST_CASE("channels in lanes: the same bits for any number of threads") {
  const LargeNet net;
  test::for_each_isa([&](const std::string&) {
    for (int64_t N : {1, 3}) {
      const Tensor x = randn({N, 3, 28, 28}, 5);
      std::vector<Tensor> results;
      for (int threads : {1, 2, 3}) {
        const Threads scope(threads);
        const Net f = net;
        Compiled step = compiled(f, true);
        results.push_back(step({x})[0].clone());
        CHECK(same_bits(step({x})[0], results.back()));
      }
      CHECK(same_bits(results[0], results[1]));
      CHECK(same_bits(results[0], results[2]));
    }
  });
}

TEST_CASE("channels in lanes: changed weights are seen, and a replay allocates nothing") {
  const LargeNet net;
  const Net f = net;
  const Tensor x = randn({1, 3, 28, 28}, 6);
  test::for_each_isa([&](const std::string&) {
    Compiled fused = compiled(f, true), plain = compiled(f, false);
    fused({x}), plain({x});
    for (Tensor w : {net.w1, net.w2, net.w3, net.b3, net.w4, net.b4}) {
      const Tensor before = plain({x})[0].clone();
      w.copy_(w * 1.5);
      const Tensor expected = plain({x})[0].clone();
      CHECK_FALSE(same_bits(before, expected));
      CHECK(gap(fused({x})[0], expected) < 2e-5);
    }
    const uint64_t allocations = allocation_count();
    for (int i = 0; i < 5; ++i) fused({x});
    CHECK(allocation_count() == allocations);
  });
}

TEST_CASE("channels in lanes: weights that the program computes are made anew each time") {
  Weights w;
  const Tensor raw = w({24, 16, 3, 3}), first = w({16, 2, 3, 3}), gain = full({1}, 1);
  const Net net = [=](const Tensor& x) {
    return relu(conv2d(conv2d(x, first * gain, {}, {.padding = 1}), raw * gain, {}, {.padding = 1}));
  };
  check_net(net, {2, 12, 12});
  Compiled step = compiled(net, true);
  const Tensor x = randn({1, 2, 12, 12}, 1), before = step({x})[0].clone();
  Tensor(gain).fill_(2);
  CHECK(gap(step({x})[0], before * 4) < 1e-6);
}

TEST_CASE("channels in lanes: small training steps run as recorded") {
  const Tensor w = parameter(randn({4, 1, 3, 3}, 1));
  Compiled step = compile([&](const Tensors& in) {
    const Tensor loss = square(conv2d(in[0], w)).sum();
    loss.backward();
    const Tensor dw = w.grad().clone();
    w.zero_grad();
    return Tensors{dw};
  });
  step({randn({1, 1, 8, 8}, 2)});
  REQUIRE(step.program());
  CHECK(stages_with(step, "channel") == 0);
}

TEST_CASE("channels in lanes: an infinite weight meets an input of zero as in single operators") {
  Weights weights;
  const Tensor w = weights({5, 40}), b = weights({5});
  const Net net = [=](const Tensor& x) { return linear(relu(flatten(x, 1)), w, b); };
  Compiled fused = compiled(net, true);
  const Tensor x = full({1, 1, 1, 40}, -1);
  CHECK(same_bits(fused({x})[0], b.reshape({1, 5})));
  w.select(0, 2).select(0, 7).fill_(INFINITY);
  const Tensor y = fused({x})[0];
  CHECK(std::isnan(y.at({0, 2})));
  CHECK(y.at({0, 1}) == b.at({1}));
}

TEST_CASE("channels in lanes: a pooled NaN stays, wherever it is in its window") {
  const Net net = [](const Tensor& x) { return max_pool2d(conv2d(x, full({1, 1, 1, 1}, 1)), {.kernel = 2}); };
  Compiled fused = compiled(net, true);
  for (int64_t place = 0; place < 4; ++place) {
    const Tensor x = full({1, 1, 2, 4}, 3);
    x.select(2, place / 2).select(2, place % 2).fill_(NAN);
    const Tensor y = fused({x})[0];
    CHECK(std::isnan(y.at({0, 0, 0, 0})));
    CHECK(y.at({0, 0, 0, 1}) == 3);
  }
  CHECK(stages_with(fused, "channel conv2d+max_pool2d") == 1);
}
