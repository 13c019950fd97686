// Recorded steps on a GPU, fused, against the same steps operator by operator.

#include <set>

#include "program/lane_steps.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/optim/loss_scale.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr Precision kHalves[] = {Precision::bf16, Precision::fp16};

struct Layer {
  int64_t filters, kernel;
  int64_t padding = 0, stride = 1;
  bool relu = true, pool = false;
};

/// A chain of convolutions with a dense layer behind, trained for a few steps.
struct Net {
  std::vector<Tensor> parameters;  ///< w, b of each layer, then of the dense one
  std::vector<Layer> layers;
  double p;        ///< of dropout
  int64_t hidden;  ///< features of a dense layer before the last, or 0
  Precision precision;
  Tensor state;

  Net(const Shape& image, std::vector<Layer> all, double dropout, int64_t hidden, Device device, Precision of)
      : layers(std::move(all)),
        p(dropout),
        hidden(hidden),
        precision(of),
        state(tensor<int64_t>({5, 6, 7}).to(device)) {
    int64_t channels = image[0];
    for (const Layer& l : layers) {
      add({l.filters, channels, l.kernel, l.kernel}, device);
      channels = l.filters;
    }
    const Tensor y =
        features(zeros({1, image[0], image[1], image[2]}, DType::float32, device), arange(0, 1).to(device));
    if (hidden > 0) add({hidden, y.size(1)}, device);
    add({10, hidden > 0 ? hidden : y.size(1)}, device);
  }
  void add(const Shape& w, Device device) {
    const double fan = double(count(w) / w[0]);
    parameters.push_back(parameter((randn(w, parameters.size() + 1) * (1 / std::sqrt(fan))).to(device)));
    parameters.push_back(parameter((randn({w[0]}, parameters.size() + 1) * 0.1).to(device)));
  }
  Tensor features(Tensor x, const Tensor& samples) const {
    for (size_t i = 0; i < layers.size(); ++i) {
      const Layer& l = layers[i];
      x = conv2d(x, parameters[2 * i], parameters[2 * i + 1],
                 {.stride = l.stride, .padding = l.padding, .precision = precision});
      if (l.relu) x = relu(x);
      if (l.pool) x = max_pool2d(x);
    }
    if (p > 0) x = dropout(x, p, {state, samples});
    return flatten(x, 1);
  }
  Tensor logits(const Tensor& x, const Tensor& samples) const {
    Tensor y = features(x, samples);
    size_t i = 2 * layers.size();
    if (hidden > 0) {
      y = relu(linear(y, parameters[i], parameters[i + 1], precision));
      if (p > 0) y = dropout(y, p, {state, samples});
      i += 2;
    }
    return linear(y, parameters[i], parameters[i + 1], precision);
  }
  /// {images, labels, samples} -> {loss, logits, all gradients}
  Tensors step(const Tensors& in) const {
    const Tensor y = logits(in[0], in[2]), loss = cross_entropy(y, in[1]);
    Tensors result{loss.detach(), y.detach()};
    for (const Tensor& d : gradients(loss, parameters)) result.push_back(d);
    return result;
  }
};

struct Example {
  const char* name;
  Shape image;
  std::vector<Layer> layers;
  double dropout = 0;
  int64_t hidden = 0;
};

std::vector<Example> examples() {
  return {{"two layers, pool, dropout", {1, 14, 14}, {{8, 3}, {16, 3, 0, 1, true, true}}, 0.25, 21},
          {"pools behind both", {1, 14, 13}, {{8, 3, 0, 1, true, true}, {24, 3, 0, 1, true, true}}, 0.5},
          {"one layer, colour", {3, 9, 8}, {{12, 3, 1, 2}}},
          {"three layers", {2, 8, 8}, {{6, 5, 2, 1, true, true}, {16, 3, 1}, {9, 1, 0, 1, false}}, 0, 34},
          {"stride 2 behind: not as one", {1, 12, 12}, {{8, 3}, {8, 3, 1, 2}}}};
}

}  // namespace

TEST_CASE("16-bit steps fused for a GPU agree with operator by operator") {
  for_each_gpu([](Device gpu) {
    for (size_t n = 0; n < 2 * examples().size(); ++n) {
      const Example c = examples()[n / 2];
      INFO(c.name << ", " << kHalves[n % 2]);
      const Net net(c.image, c.layers, c.dropout, c.hidden, gpu, kHalves[n % 2]);
      const auto step = [&](const Tensors& in) { return net.step(in); };
      Compiled fused = compile(step), plain = compile(step, {.fuse = false});
      Tensors in = batch_of(c.image, 11, 4);
      for (Tensor& t : in) t = t.to(gpu);
      for (int again = 0; again < 2; ++again) {
        const Tensors a = fused(in), b = plain(in);
        REQUIRE(fused.program() != nullptr);
        INFO(fused.program()->describe());
        CHECK(runs(fused, "conv_chain"));
        CHECK(runs(fused, "loss_head"));
        for (size_t i = 0; i < a.size(); ++i) {
          INFO("result " << i);
          CHECK(gap(a[i].to(Device::cpu()), b[i].to(Device::cpu())) < 5e-3);
        }
      }
    }
  });
}

TEST_CASE("16-bit inference fused for a GPU agrees with operator by operator, and sees new weights") {
  for_each_gpu([](Device gpu) {
    for (size_t n = 0; n < 2 * examples().size(); ++n) {
      const Example c = examples()[n / 2];
      INFO(c.name << ", " << kHalves[n % 2]);
      const Net net(c.image, c.layers, 0, c.hidden, gpu, kHalves[n % 2]);
      const auto infer = [&](const Tensors& in) {
        const NoGrad no_grad;
        return Tensors{net.logits(in[0], in[1])};
      };
      Compiled fused = compile(infer), plain = compile(infer, {.fuse = false});
      const Tensors in = {randn({3, c.image[0], c.image[1], c.image[2]}, 8).to(gpu), arange(0, 3).to(gpu)};
      for (int again = 0; again < 4; ++again) {  // from the third on a graph runs
        CHECK(gap(fused(in)[0].to(Device::cpu()), plain(in)[0].to(Device::cpu())) < 5e-3);
        CHECK(runs(fused, "conv_chain"));
        CHECK(runs(fused, "conv_chain's weights (kept)"));
        const NoGrad no_grad;
        const Tensor w = net.parameters[again % 2 == 0 ? 0 : net.parameters.size() - 2];
        w.copy_(w * 1.5);
      }
    }
  });
}

TEST_CASE("a weight that several forward passes of a program read is rounded once") {
  for_each_gpu([](Device gpu) {
    const Net net({1, 8, 8}, {{8, 3}}, 0, 0, gpu, Precision::bf16);
    const auto infer = [&](const Tensors& in) {
      const NoGrad no_grad;
      Tensors all;
      for (int64_t i = 0; i < 3; ++i)
        all.push_back(net.logits(in[0].slice(0, {.start = i, .stop = i + 1}), {}));
      return all;
    };
    Compiled fused = compile(infer), plain = compile(infer, {.fuse = false});
    const Tensors in = {randn({3, 1, 8, 8}, 8).to(gpu)};
    for (int again = 0; again < 3; ++again) {
      const Tensors a = fused(in), b = plain(in);
      for (size_t i = 0; i < 3; ++i) CHECK(gap(a[i].to(Device::cpu()), b[i].to(Device::cpu())) < 5e-3);
      const NoGrad no_grad;
      net.parameters[0].copy_(net.parameters[0] * -1.5);
    }
    std::set<const Storage*> kept;
    for (const program::Buffer& b : fused.program()->buffers())
      if (b.role == program::Role::external) kept.insert(b.storage.get());
    CHECK(kept.size() == 2 * net.parameters.size() - 2);  // the weights once more, rounded
  });
}

TEST_CASE("several steps of training recorded as one are those steps, to the bit") {
  for_each_gpu([](Device gpu) {
    const Tensors data = batch_of({1, 12, 12}, 12, 4);
    const auto trained = [&](int64_t unroll, bool fuse, Precision precision) {
      nn::Sequential net(nn::Conv2d(1, 8, {.kernel = 3}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                         nn::Dropout(0.25), nn::Dense(200, 21), nn::ReLU(), nn::Dense(21, 3));
      net.initialize({.seed = 3});
      net.to(gpu);
      nn::Context context(nn::Mode::train);
      context.set_seed(7);
      context.set_precision(precision);
      optim::Adam adam(net.parameters(), {.lr = 0.01});
      optim::LossScale scale(gpu, {.start = 1 << 19, .interval = 1});  // too much, at first
      Compiled steps = compile(
          [&](const Tensors& in) {
            Tensor loss;
            for (int64_t i = 0; i < unroll; ++i) {
              const Slice window{.start = 4 * i, .stop = 4 * i + 4};
              context.set_samples(in[2].slice(0, window));
              loss = cross_entropy(context.run("", net, in[0].slice(0, window)), in[1].slice(0, window));
              if (precision == Precision::fp16) {
                loss.backward(scale.factor());
                scale.update(adam.parameters());
                adam.step(scale.unscale());
              } else {
                loss.backward();
                adam.step();
              }
              adam.zero_grad();
            }
            return Tensors{loss.detach()};
          },
          {.fuse = fuse});
      for (int64_t first = 0; first < 12; first += 4 * unroll) {
        Tensors in;
        for (const Tensor& all : data)
          in.push_back(all.slice(0, {.start = first, .stop = first + 4 * unroll}).to(gpu));
        steps(in);
        CHECK(steps.reason() == "");
      }
      const int64_t skipped = scale.skipped();  // of three steps
      CHECK((precision == Precision::fp16 ? skipped == 1 || skipped == 2 : skipped == 0));
      Tensors weights{scale.factor().to(Device::cpu())};
      for (const Tensor& p : net.parameters()) weights.push_back(p.detach().to(Device::cpu()));
      return weights;
    };
    for (const Precision precision : kHalves)
      for (const bool fuse : {true, false}) {
        INFO(precision);
        const Tensors a = trained(1, fuse, precision), b = trained(3, fuse, precision);
        for (size_t i = 0; i < a.size(); ++i) CHECK(same_bits(a[i], b[i]));
      }
  });
}
