// Dense layers of bf16 and fp16 steps on a GPU, fused, against the same steps operator by operator.

#include <algorithm>

#include "program/lane_steps.h"
#include "support/check_op.h"
#include "support/gpus.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr Precision kBf16 = Precision::bf16, kHalves[] = {Precision::bf16, Precision::fp16};

/// Dense layers one behind the other.
struct Perceptron {
  std::vector<Tensor> parameters;  ///< w, b of each layer
  bool activated;                  ///< with ReLU between layers
  Precision precision;

  Perceptron(const std::vector<int64_t>& widths, bool relu_between, Device device, Precision of = kBf16)
      : activated(relu_between), precision(of) {
    for (size_t i = 0; i + 1 < widths.size(); ++i) {
      const Tensor w = randn({widths[i + 1], widths[i]}, i + 1) * (1 / std::sqrt(double(widths[i])));
      parameters.push_back(parameter(w.to(device)));
      parameters.push_back(parameter((randn({widths[i + 1]}, i + 20) * 0.1).to(device)));
    }
  }
  Tensor logits(Tensor x) const {
    for (size_t i = 0; i < parameters.size(); i += 2) {
      x = linear(x, parameters[i], parameters[i + 1], precision);
      if (activated && i + 2 < parameters.size()) x = relu(x);
    }
    return x;
  }
  Tensors step(const Tensors& in, bool squares) const {
    const Tensor y = logits(in[0]), loss = squares ? mean(y * y) : cross_entropy(y, in[1]);
    Tensors result{loss.detach(), y.detach()};
    for (const Tensor& d : gradients(loss, parameters)) result.push_back(d);
    return result;
  }
};

struct Example {
  std::vector<int64_t> widths;
  int64_t batch;
  bool activated = true;
  bool squares = true;  ///< as loss, behind which no other stage takes the last layer
};

std::vector<Example> examples() {
  return {{{20, 10}, 4},           {{64, 32, 10}, 16},
          {{17, 9, 5, 3}, 5},      {{48, 96, 64, 24, 10}, 33},
          {{36, 12, 8}, 8, false}, {{48, 96, 64, 10}, 33, true, false},
          {{1, 1, 1}, 1}};
}

int64_t how_many(const Compiled& step, std::string_view name) {
  const std::vector<std::string> stages = step.program()->stages();
  return std::count(stages.begin(), stages.end(), name);
}

void check_same(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    INFO("result " << i);
    CHECK(gap(a[i].to(Device::cpu()), b[i].to(Device::cpu())) < 5e-3);
  }
}

}  // namespace

TEST_CASE("dense layers in 16-bit training on a GPU agree with operator by operator") {
  for_each_gpu([](Device gpu) {
    for (size_t i = 0; i < 2 * examples().size(); ++i) {
      const Example e = examples()[i / 2];
      const Perceptron net(e.widths, e.activated, gpu, kHalves[i % 2]);
      const auto step = [&](const Tensors& in) { return net.step(in, e.squares); };
      Compiled fused = compile(step), plain = compile(step, {.fuse = false});
      Tensors in = batch_of({e.widths[0]}, e.batch, 4);
      for (Tensor& t : in) t = t.to(gpu);
      for (int again = 0; again < 3; ++again) {
        INFO(e.widths.size() << " from " << e.widths[0] << ", " << net.precision);
        check_same(fused(in), plain(in));
        REQUIRE(fused.program() != nullptr);
        INFO(fused.program()->describe());
        CHECK(runs(fused, "tile_product"));
        for (const char* name : {"linear", "matmul", "round_bfloat16", "round_float16"})
          CHECK(how_many(fused, name) == 0);
      }
    }
  });
}

TEST_CASE("dense layers in 16-bit inference on a GPU see new weights") {
  for_each_gpu([](Device gpu) {
    for (size_t i = 0; i < 2 * examples().size(); ++i) {
      const Example e = examples()[i / 2];
      const Perceptron net(e.widths, e.activated, gpu, kHalves[i % 2]);
      const auto infer = [&](const Tensors& in) {
        const NoGrad no_grad;
        return Tensors{net.logits(in[0])};
      };
      Compiled fused = compile(infer), plain = compile(infer, {.fuse = false});
      const Tensors in = {randn({e.batch, e.widths[0]}, 8).to(gpu)};
      for (int again = 0; again < 3; ++again) {
        check_same(fused(in), plain(in));
        CHECK(how_many(fused, "tile_product") == int64_t(e.widths.size()) - 1);
        CHECK(how_many(fused, "relu") == 0);
        const NoGrad no_grad;
        net.parameters[0].copy_(net.parameters[0] * 1.5);
      }
    }
  });
}

TEST_CASE("what others read of a dense layer stays in a fused bf16 step") {
  for_each_gpu([](Device gpu) {
    const Perceptron net({24, 16, 6}, true, gpu);
    const Tensor w = net.parameters[0], b = net.parameters[1];
    // Rounded factors, the result before its ReLU, and weights that change between their rounding and their
    // use.
    const auto step = [&](const Tensors& in) {
      const NoGrad no_grad;
      const Tensor y = linear(in[0], w, b, kBf16), z = relu(y);
      const Tensor product = matmul(z, net.parameters[2].transpose(), kBf16);
      const Tensor before = linear(in[0], w, b, kBf16);
      w.copy_(w * 0.5);
      const Tensor after = linear(in[0], w, b, kBf16);
      w.copy_(w * 2.0);
      return Tensors{y, z, product, before, after, sum(y, 0)};
    };
    Compiled fused = compile(step), plain = compile(step, {.fuse = false});
    const Tensors in = {randn({7, 24}, 9).to(gpu)};
    for (int again = 0; again < 2; ++again) check_same(fused(in), plain(in));
    CHECK(runs(fused, "tile_product"));
  });
}

TEST_CASE("products of both formats in one step on a GPU stay apart") {
  for_each_gpu([](Device gpu) {
    const Tensor v = randn({48, 64}, 2).to(gpu), w = randn({32, 64}, 3).to(gpu);
    const auto step = [&](const Tensors& in) {
      const NoGrad no_grad;
      return Tensors{matmul(in[0], v.transpose(), Precision::bf16),
                     matmul(in[0], w.transpose(), Precision::fp16)};
    };
    Compiled fused = compile(step), plain = compile(step, {.fuse = false});
    const Tensors in = {randn({40, 64}, 1).to(gpu)};
    for (int again = 0; again < 2; ++again) {
      const Tensors a = fused(in), b = plain(in);
      for (size_t i = 0; i < a.size(); ++i) CHECK(gap(a[i].to(Device::cpu()), b[i].to(Device::cpu())) < 2e-5);
    }
    CHECK(how_many(fused, "tile_product") > 0);
  });
}

TEST_CASE("gradients of dense layers use the weights of the forward pass, and frozen ones have none") {
  for_each_gpu([](Device gpu) {
    const Perceptron net({24, 16, 12, 6}, true, gpu);
    const Tensors& p = net.parameters;
    const Tensors wanted = {p[0], p[1], p[3], p[4]};
    const auto step = [&](const Tensors& in) {
      // A bias without its weights: a sum without a product.
      const Tensor frozen = p[2].detach(), x = relu(linear(in[0], p[0], p[1], kBf16));
      const Tensor y = linear(relu(linear(x, frozen, p[3], kBf16)), p[4], p[5], kBf16), loss = mean(y * y);
      {
        const NoGrad no_grad;
        p[4].copy_(p[4] * -0.5);
      }
      Tensors result = gradients(loss, wanted);
      const NoGrad no_grad;
      p[4].copy_(p[4] * -2.0);
      result.push_back(y.detach());
      return result;
    };
    Compiled fused = compile(step), plain = compile(step, {.fuse = false});
    const Tensors in = {randn({7, 24}, 9).to(gpu)};
    for (int again = 0; again < 3; ++again) check_same(fused(in), plain(in));
    INFO(fused.program()->describe());
    CHECK(runs(fused, "tile_product"));
    CHECK(how_many(fused, "sum") == 2);
    CHECK(how_many(fused, "round_bfloat16") == 2);
  });
}

TEST_CASE("dense layers are trained in a fused bf16 step on a GPU as operator by operator") {
  for_each_gpu([](Device gpu) {
    const auto losses = [&](bool fuse) {
      const Perceptron net({32, 24, 16, 5}, true, gpu);
      optim::SGD sgd(net.parameters, {.lr = 0.05, .momentum = 0.9});
      Compiled step = compile(
          [&](const Tensors& in) {
            const Tensor loss = cross_entropy(net.logits(in[0]), in[1]);
            loss.backward();
            sgd.step();
            sgd.zero_grad();
            return Tensors{loss.detach()};
          },
          {.fuse = fuse});
      Tensors all;
      for (uint64_t i = 0; i < 6; ++i) {
        Tensors in = batch_of({32}, 12, i % 2);
        for (Tensor& t : in) t = t.to(gpu);
        all.push_back(step(in)[0].to(Device::cpu()));
      }
      INFO(step.program()->describe());
      CHECK(runs(step, "tile_product") == fuse);
      for (const Tensor& p : net.parameters) all.push_back(p.detach().to(Device::cpu()));
      return all;
    };
    check_same(losses(true), losses(false));
  });
}
