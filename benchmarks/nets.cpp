#include "nets.h"

#include "uncial/io/atomic_file.h"
#include "uncial/nn/network.h"
#include "uncial/nn/summary.h"

namespace uncial::bench {
namespace {

using namespace nn;
using Net = std::shared_ptr<Module>;

const Shape kGrey = {1, 28, 28}, kColour = {3, 32, 32};
constexpr int64_t kLargestDescription = int64_t(1) << 20;

template <class... Modules>
Net net(const Modules&... modules) {
  return std::make_shared<Sequential>(modules...);
}

// ---- The peer harness's four ------------------------------------------------------------------------------

Net mnist_convnet() {
  return net(Conv2d(1, 32, {.kernel = 3}), ReLU(), Conv2d(32, 64, {.kernel = 3}), ReLU(), MaxPool2d(2),
             Dropout(0.25), Flatten(), Dense(9216, 128), ReLU(), Dropout(0.5), Dense(128, 10));
}

Net keras_convnet() {
  return net(Conv2d(1, 32, {.kernel = 3}), ReLU(), MaxPool2d(2), Conv2d(32, 64, {.kernel = 3}), ReLU(),
             MaxPool2d(2), Flatten(), Dropout(0.5), Dense(1600, 10));
}

Net lenet5() {
  return net(Conv2d(1, 6, {.kernel = 5, .padding = 2}), ReLU(), MaxPool2d(2), Conv2d(6, 16, {.kernel = 5}),
             ReLU(), MaxPool2d(2), Flatten(), Dense(400, 120), ReLU(), Dense(120, 84), ReLU(), Dense(84, 10));
}

Net mlp() {
  return net(Flatten(), Dense(784, 512), ReLU(), Dropout(0.2), Dense(512, 512), ReLU(), Dropout(0.2),
             Dense(512, 10));
}

// ---- Other families: what is fast for those four only is not fast -----------------------------------------

/// Convolution, BatchNorm, ReLU; the bias is left to BatchNorm.
Sequential conv_norm(int64_t in, int64_t out, int64_t stride) {
  return Sequential(Conv2d(in, out, {.kernel = 3, .stride = stride, .padding = 1, .bias = false}),
                    BatchNorm2d(out), ReLU());
}

/// Two 3x3 convolutions around which the input is carried; a 1x1 convolution carries it where the shape
/// changes.
Residual residual_block(int64_t in, int64_t out, int64_t stride) {
  const Sequential body(conv_norm(in, out, stride),
                        Conv2d(out, out, {.kernel = 3, .padding = 1, .bias = false}), BatchNorm2d(out));
  if (in == out && stride == 1) return Residual(body);
  return Residual(
      body, Sequential(Conv2d(in, out, {.kernel = 1, .stride = stride, .bias = false}), BatchNorm2d(out)));
}

/// ResNet for small pictures (He et al., 2016, 4.2), one block a stage.
Net resnet() {
  return net(conv_norm(3, 16, 1), residual_block(16, 16, 1), ReLU(), residual_block(16, 32, 2), ReLU(),
             residual_block(32, 64, 2), ReLU(), GlobalAvgPool2d(), Flatten(), Dense(64, 10));
}

/// Strides in the place of pools (Springenberg et al., 2015).
Net all_conv() {
  return net(Conv2d(1, 32, {.kernel = 3, .padding = 1}), ReLU(),
             Conv2d(32, 32, {.kernel = 3, .stride = 2, .padding = 1}), ReLU(),
             Conv2d(32, 64, {.kernel = 3, .padding = 1}), ReLU(),
             Conv2d(64, 64, {.kernel = 3, .stride = 2, .padding = 1}), ReLU(), Conv2d(64, 64, {.kernel = 1}),
             ReLU(), Conv2d(64, 10, {.kernel = 1}), GlobalAvgPool2d(), Flatten());
}

Net vgg() {
  const auto conv = [](int64_t in, int64_t out) { return Conv2d(in, out, {.kernel = 3, .padding = 1}); };
  return net(conv(3, 32), ReLU(), conv(32, 32), ReLU(), MaxPool2d(2),      //
             conv(32, 64), ReLU(), conv(64, 64), ReLU(), MaxPool2d(2),     //
             conv(64, 128), ReLU(), conv(128, 128), ReLU(), MaxPool2d(2),  //
             Flatten(), Dropout(0.3), Dense(2048, 256), ReLU(), Dropout(0.5), Dense(256, 10));
}

/// Filters of 7x7 with stride 2, 5x5 and 1x1, overlapping pools, channel counts that fill no vector.
Net kernel_mix() {
  return net(Conv2d(3, 24, {.kernel = 7, .stride = 2, .padding = 3}), ReLU(),
             MaxPool2d({.kernel = 3, .stride = 2, .padding = 1}), Conv2d(24, 20, {.kernel = 1}), ReLU(),
             Conv2d(20, 36, {.kernel = 5, .padding = 2}), ReLU(), AvgPool2d(2), Conv2d(36, 50, {.kernel = 1}),
             ReLU(), Flatten(), Dense(800, 10));
}

}  // namespace

const std::vector<BenchNet>& bench_nets() {
  static const std::vector<BenchNet> nets = {
      {"mnist_convnet", kGrey, mnist_convnet},
      {"keras_convnet", kGrey, keras_convnet},
      {"lenet5", kGrey, lenet5},
      {"mlp", kGrey, mlp},
      {"resnet", kColour, resnet},
      {"all_conv", kGrey, all_conv},
      {"vgg", kColour, vgg},
      {"kernel_mix", kColour, kernel_mix},
  };
  return nets;
}

std::vector<std::string> bench_net_names() {
  std::vector<std::string> names;
  for (const BenchNet& n : bench_nets()) names.push_back(n.name);
  return names;
}

const BenchNet& find_bench_net(std::string_view name) {
  for (const BenchNet& n : bench_nets())
    if (n.name == name) return n;
  fail(ErrorKind::usage, "bench_net: there is no network '", name,
       "'; name a file FILE.json or one of the list.");
}

BenchNet described_net(const std::string& path, const Shape& sample) {
  const std::shared_ptr<Module> net = nn::build(io::read_file(path, kLargestDescription));
  const Shape x = {1, sample[0], sample[1], sample[2]};
  const Summary summary = nn::summary(*net, x);
  const Shape y = summary.rows.empty() ? Shape{} : summary.rows.back().output;
  require(y == Shape{1, 10}, "bench_net: the network in ", path, " turns images ", x, " into ", y,
          ", expected (1, 10); --image says their extents.");
  return {path, sample, [net] { return net; }};
}

}  // namespace uncial::bench
