// Recorded training steps with the batch in the lanes against the same steps run operator by operator.
#include <cstring>

#include "program/lane_steps.h"
#include "support/isas.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("training steps with the batch in the lanes agree with operator by operator") {
  for (const Case& c : cases())
    for (int64_t n : {4, 8, 19, 48}) {
      INFO(c.name << ", batch of " << n);
      check_net(c.net, c.image, n, c.must_run);
    }
}

TEST_CASE("they agree on every instruction set") {
  for_each_isa([&](const std::string& isa) {
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

TEST_CASE("planes that fill less than half of Winograd's tiles are convolved directly") {
  nn::Sequential net(nn::Conv2d(16, 16, {.kernel = 3, .padding = 1}));
  net.initialize({.seed = 1});
  nn::Context context(nn::Mode::eval);
  for (int64_t side = 3; side <= 7; ++side) {
    INFO(side);
    const auto forward = [&](const Tensors& in) {
      const NoGrad no_grad;
      return Tensors{net.forward(in[0], context)};
    };
    Compiled fused = compile(forward), plain = compile(forward, {.fuse = false});
    const Tensors in{randn({16, 16, side, side}, 5)};
    CHECK(gap(fused(in)[0], plain(in)[0]) < 1e-5);
    CHECK(runs(fused, "winograd") == (side != 3 && side != 5));
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

TEST_CASE("an image with a halo may also be read flat, elementwise") {
  const Tensor w = randn({4, 3, 1, 1}, 1), v = randn({4, 4, 3, 3}, 2);
  const auto step = [&](const Tensors& in) {
    const NoGrad no_grad;
    const Tensor y = conv2d(in[0], w), z = conv2d(y, v, {}, {.padding = 1}), flat = flatten(y, 1);
    return Tensors{z, tanh(flat), flat * flatten(z, 1), z + reshape(tanh(flat), z.shape())};
  };
  const Tensors in{randn({16, 3, 6, 6}, 3)};
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
