// Recorded training steps with the batch in the lanes against the same steps run operator by operator.
#include <cmath>
#include <cstring>
#include <functional>

#include "support/catch.h"
#include "support/isas.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/uncial.h"

using namespace uncial;

namespace {

/// One network with its own weights, dropout keys and optimiser, and one step of training recorded.
struct Experiment {
  nn::Sequential net;
  nn::Context context{nn::Mode::train};
  optim::SGD sgd;
  Compiled step;

  Experiment(nn::Sequential recipe, bool fuse)
      : net(recipe),
        sgd((net.initialize({.seed = 3}), net.parameters()), {.lr = 0.05, .momentum = 0.9}),
        step(compile([this](const Tensors& in) { return run(in); }, {.fuse = fuse})) {
    context.set_seed(11);
    context.set_epoch(2);
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

Tensors batch_of(const Shape& image, int64_t n, uint64_t seed) {
  Shape shape{n};
  for (int64_t extent : image) shape.push_back(extent);
  const Tensor labels = zeros({n}, DType::int64);
  for (int64_t i = 0; i < n; ++i) labels.data<int64_t>()[i] = (i * 7 + int64_t(seed)) % 3;
  return {randn(shape, seed), labels, arange(0, double(n))};
}

double gap(const Tensor& a, const Tensor& b) {
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

bool runs(const Compiled& step, const std::string& name) {
  for (const std::string& stage : step.program()->stages())
    if (stage.find(name) != std::string::npos) return true;
  return false;
}

/// Three steps both ways: losses, logits, all weights and statistics agree up to rounding.
void check_net(const std::function<nn::Sequential()>& recipe, const Shape& image, int64_t n,
               const std::string& must_run) {
  Experiment fused(recipe(), true), plain(recipe(), false);
  for (uint64_t i = 0; i < 3; ++i) {
    const Tensors in = batch_of(image, n, i + 1);
    const Tensors a = fused.step(in), b = plain.step(in);
    INFO("step " << i);
    CHECK(gap(a[0], b[0]) < 1e-4);
    CHECK(gap(a[1], b[1]) < 1e-3);
  }
  REQUIRE(fused.step.program() != nullptr);
  INFO(fused.step.program()->describe());
  CHECK(runs(fused.step, must_run));
  const auto mine = fused.net.state_dict(), theirs = plain.net.state_dict();
  for (size_t i = 0; i < mine.size(); ++i) {
    INFO(mine[i].first);
    CHECK(gap(mine[i].second, theirs[i].second) < 2e-3);
  }
}

struct Case {
  const char* name;
  std::function<nn::Sequential()> net;
  Shape image;
  const char* must_run;
};

const std::vector<Case>& cases() {
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
         return Sequential(Conv2d(3, 8, {.kernel = 3, .padding = 1}),
                           Conv2d(8, 9, {.kernel = 3, .padding = 1}), ReLU(), Flatten(),
                           Dense(9 * 15 * 23, 3));
       },
       {3, 15, 23},
       "winograd_gradient > conv2d_gradient"},
      {"the same with stride ahead, and a bias of one only",
       [] {
         return Sequential(Conv2d(1, 8, {.kernel = 5, .stride = 2, .padding = 2, .bias = false}), ReLU(),
                           Conv2d(8, 9, {.kernel = 3, .padding = 2}), Tanh(), Flatten(),
                           Dense(9 * 12 * 16, 3));
       },
       {1, 19, 27},
       "winograd_gradient > conv2d_gradient"},
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
       "winograd"},
      {"perceptron with a layer too large for the cache",
       [] {
         return Sequential(Flatten(), Dense(700, 300), ReLU(), Dropout(0.2), Dense(300, 20), Tanh(),
                           Dense(20, 3));
       },
       {7, 10, 10},
       "linear (batch)"},
  };
  return all;
}

}  // namespace

TEST_CASE("training steps with the batch in the lanes agree with operator by operator") {
  for (const Case& c : cases())
    for (int64_t n : {8, 19, 48}) {
      INFO(c.name << ", batch of " << n);
      check_net(c.net, c.image, n, c.must_run);
    }
}

TEST_CASE("they agree on every instruction set") {
  test::for_each_isa([&](const std::string& isa) {
    INFO(isa);
    for (const Case& c : cases()) {
      INFO(c.name);
      check_net(c.net, c.image, 11, c.must_run);
    }
  });
}

TEST_CASE("fused steps have the same bits for 1, 2, 3 and 8 threads, and on every repeat") {
  for (const Case& c : cases()) {
    INFO(c.name);
    std::vector<nn::NamedTensors> results;
    for (int threads : {1, 2, 3, 8, 8}) {
      set_num_threads(threads);
      Experiment e(c.net(), true);
      for (uint64_t i = 0; i < 3; ++i) e.step(batch_of(c.image, 83, i));
      results.push_back(e.net.state_dict());
    }
    set_thread_pool(nullptr);
    for (const auto& other : results)
      for (size_t i = 0; i < other.size(); ++i) {
        const Tensor &a = results[0][i].second, &b = other[i].second;
        INFO(other[i].first);
        CHECK(std::memcmp(a.view().data, b.view().data, size_t(a.bytes())) == 0);
      }
  }
}

TEST_CASE("inference sees weights that were changed between calls") {
  nn::Sequential net(nn::Conv2d(8, 8, {.kernel = 3}), nn::ReLU(), nn::Flatten(), nn::Dense(8 * 16, 3));
  net.initialize({.seed = 1});
  const nn::Context eval(nn::Mode::eval);
  nn::Context context(nn::Mode::eval);
  const auto forward = [&](const Tensors& in) {
    const NoGrad no_grad;
    return Tensors{net.forward(in[0], context)};
  };
  Compiled fused = compile(forward), plain = compile(forward, {.fuse = false});
  const Tensors in{randn({20, 8, 6, 6}, 5)};
  for (int round = 0; round < 3; ++round) {
    CHECK(gap(fused(in)[0], plain(in)[0]) < 1e-5);
    const NoGrad no_grad;
    for (const Tensor& p : net.parameters()) p.detach().copy_(p.detach() * -1.5);
  }
  CHECK(runs(fused, "winograd"));
  net.parameters()[0].data<float>()[3] = 7;  // through a pointer, which no version counts
  CHECK(gap(fused(in)[0], plain(in)[0]) < 1e-5);
  net.parameters()[0].data<float>()[4] = -9;
  CHECK(gap(fused(in)[0], plain(in)[0]) < 1e-5);
  net.initialize({.seed = 2});
  CHECK(gap(fused(in)[0], plain(in)[0]) < 1e-5);
}

TEST_CASE("inference folds normalisations into convolutions, and sees changed statistics") {
  using namespace nn;
  const auto norm_of = [](int64_t features) { return BatchNorm2d(features, {.epsilon = 1e-3}); };
  Sequential net(
      Conv2d(3, 9, {.kernel = 3, .padding = 1, .bias = false}), norm_of(9), ReLU(),  // ahead of the next
      Conv2d(9, 9, {.kernel = 3, .padding = 1}), norm_of(9), ReLU(), MaxPool2d(2),
      Residual(Sequential(Conv2d(9, 6, {.kernel = 1}), norm_of(6), ReLU(),
                          Conv2d(6, 9, {.kernel = 3, .padding = 1, .groups = 3, .bias = false}), norm_of(9))),
      ReLU(),
      Residual(Sequential(Conv2d(9, 10, {.kernel = 3, .stride = 2, .padding = 1}), norm_of(10)),
               Sequential(Conv2d(9, 10, {.kernel = 1, .stride = 2, .bias = false}), norm_of(10))),
      ReLU(), GlobalAvgPool2d(), Flatten(), Dense(10, 3));
  net.initialize({.seed = 1});
  Context context(Mode::eval);
  const auto forward = [&](const Tensors& in) {
    const NoGrad no_grad;
    return Tensors{net.forward(in[0], context)};
  };
  const Tensors in{randn({20, 3, 14, 10}, 5)};
  test::for_each_isa([&](const std::string&) {
    Compiled fused = compile(forward), plain = compile(forward, {.fuse = false});
    for (uint64_t round = 0; round < 3; ++round) {
      CHECK(gap(fused(in)[0], plain(in)[0]) < 1e-5);
      const NoGrad no_grad;
      for (auto& [name, tensor] : net.state_dict())
        if (tensor.dtype() == DType::float32 && name.find("running") != std::string::npos)
          tensor.copy_(abs(randn(tensor.shape(), round)) + 0.1);
    }
    CHECK(runs(fused, "conv2d+batch_norm+relu > winograd+batch_norm+relu+max_pool2d"));
    CHECK_FALSE(runs(fused, "| batch_norm"));
    for (const char* name : {"conv2d+batch_norm+add+relu", "| add", "| relu"})
      CHECK(runs(fused, name) == (name[0] == 'c'));
  });
}

TEST_CASE("weights that a step changes before it uses them again are used as changed") {
  const Tensor w = parameter(randn({8, 8, 3, 3}, 1) * 0.2);
  const auto twice = [&](const Tensors& in) {
    const NoGrad no_grad;
    const Tensor y = conv2d(in[0], w);
    w.detach().copy_(w.detach() * 0.5);
    return Tensors{y, conv2d(in[0], w)};
  };
  const Tensors in{randn({16, 8, 6, 6}, 2)};
  const Tensor before = w.detach().clone();
  Compiled fused = compile(twice);
  for (int round = 0; round < 2; ++round) {
    const Tensor expected = conv2d(in[0], w.detach().clone());
    const Tensors y = fused(in);
    CHECK(gap(y[0], expected) < 1e-5);
    CHECK(gap(y[1], expected * 0.5) < 1e-5);
  }
}

TEST_CASE("a value that is changed in place is read as changed") {
  const Tensor w = randn({8, 3, 3, 3}, 1);
  const auto step = [&](const Tensors& in) {
    const NoGrad no_grad;
    const Tensor y = conv2d(in[0], w), before = tanh(y);
    y.copy_(y * 0.5);
    return Tensors{before, tanh(y)};
  };
  const Tensors in{randn({16, 3, 6, 6}, 2)};
  Compiled fused = compile(step), plain = compile(step, {.fuse = false});
  const Tensors x = fused(in), y = plain(in);
  for (size_t i = 0; i < x.size(); ++i) CHECK(gap(x[i], y[i]) < 1e-5);
}

TEST_CASE("gradients that somebody else reads are whole") {
  // The gradient of the pooled convolution is also returned, so nothing may vanish into a fused node.
  const Tensor w = parameter(randn({8, 1, 3, 3}, 1)), b = parameter(zeros({8}));
  const auto step = [&](const Tensors& in) {
    const Tensor y = relu(conv2d(in[0], w, b)), z = max_pool2d(y);
    sum(z * z).backward();
    const Tensor dw = w.grad().clone(), db = b.grad().clone();
    w.zero_grad();
    b.zero_grad();
    return Tensors{dw, db, y.detach()};
  };
  const Tensors in{randn({16, 1, 8, 8}, 2)};
  Compiled fused = compile(step), plain = compile(step, {.fuse = false});
  const Tensors x = fused(in), y = plain(in);
  for (size_t i = 0; i < x.size(); ++i) CHECK(gap(x[i], y[i]) < 1e-5);
}

TEST_CASE("a label that is no class is refused by the fused loss as by the operator") {
  nn::Sequential net(nn::Flatten(), nn::Dense(16, 3));
  Experiment e(net, true);
  Tensors in = batch_of({1, 4, 4}, 16, 1);
  e.step(in);
  in[1].data<int64_t>()[5] = 3;
  try {
    e.step(in);
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(std::string(error.what()).find("label 3 at index 5") != std::string::npos);
  }
}
