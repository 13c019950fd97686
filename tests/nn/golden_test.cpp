// Whole networks whose weights and images are formulas, against numbers that golden.py computed with NumPy:
// the same on every machine, instruction set and compiler.
#include <cmath>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"

using namespace uncial;

namespace {

constexpr const char* kCnn = R"({"kind": "sequential", "layers": [
  {"kind": "conv2d", "in": 1, "out": 24, "kernel": 5, "padding": 2, "bias": false},
  {"kind": "max_pool2d", "kernel": 2}, {"kind": "batch_norm2d", "features": 24}, {"kind": "relu"},
  {"kind": "conv2d", "in": 24, "out": 48, "kernel": 3, "padding": 1, "bias": false},
  {"kind": "max_pool2d", "kernel": 2}, {"kind": "batch_norm2d", "features": 48}, {"kind": "relu"},
  {"kind": "conv2d", "in": 48, "out": 96, "kernel": 3, "padding": 1, "bias": false},
  {"kind": "max_pool2d", "kernel": 2}, {"kind": "batch_norm2d", "features": 96}, {"kind": "relu"},
  {"kind": "flatten"}, {"kind": "dropout", "p": 0.2}, {"kind": "dense", "in": 864, "out": 10}]})";

constexpr const char* kResidual = R"({"kind": "sequential", "layers": [
  {"kind": "conv2d", "in": 1, "out": 6, "kernel": 3, "stride": 2, "padding": 1}, {"kind": "silu"},
  {"kind": "residual", "body": {"kind": "sequential", "layers": [
    {"kind": "conv2d", "in": 6, "out": 6, "kernel": 3, "padding": 1}, {"kind": "tanh"}]}},
  {"kind": "avg_pool2d", "kernel": 2}, {"kind": "conv2d", "in": 6, "out": 10, "kernel": 1}, {"kind": "gelu"},
  {"kind": "global_avg_pool2d"}, {"kind": "flatten"}, {"kind": "dense", "in": 10, "out": 5},
  {"kind": "log_softmax"}]})";

/// Tensor number `number` of a network's state, a formula of the place of each element.
void fill(const std::string& name, const Tensor& tensor, int number) {
  const auto values = tensor.span<float>();
  const int64_t fan_in = tensor.rank() > 1 ? tensor.size() / tensor.size(0) : 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const double wave = std::sin(0.7 * double(i) * double(i) + number);
    if (name.ends_with("running_var"))
      values[i] = float(1 + 0.5 * wave);
    else if (tensor.rank() == 1 && name.ends_with("weight"))  // of a normalisation
      values[i] = float(1 + 0.2 * wave);
    else
      values[i] = float(tensor.rank() == 1 ? 0.1 * wave : 2 * wave / std::sqrt(double(fan_in)));
  }
}

std::shared_ptr<nn::Module> network(const char* json) {
  auto net = nn::build(json);
  net->eval();
  nn::NamedTensors state;
  for (const auto& [name, tensor] : net->state_dict()) {
    state.emplace_back(name, empty(tensor.shape()));
    fill(name, state.back().second, int(state.size()) - 1);
  }
  net->load_state_dict(state);
  return net;
}

Tensor images(int64_t count) {
  const Tensor x = empty({count, 1, 28, 28});
  const auto values = x.span<float>();
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(std::max(0.0, std::sin(0.0003 * double(i) * double(i)) * std::cos(0.37 * double(i))));
  return x;
}

/// One image (channels in the lanes), and as many as fill the lanes of the widest vectors, on each
/// instruction set, recorded and eager. Images repeat after the first two.
void check_network(const char* json, const Tensor& expected) {
  const NoGrad no_grad;
  const auto net = network(json);
  const Tensor two = images(2);
  test::for_each_isa([&](const std::string&) {
    Compiled step = compile([&](const Tensors& in) { return Tensors{(*net)(in[0])}; });
    for (int64_t i = 0; i < 2; ++i) {
      const Tensor one = two.slice(0, {.start = i, .stop = i + 1}),
                   row = expected.slice(0, {.start = i, .stop = i + 1});
      test::check_close(step({one.contiguous()})[0], row, 2e-5);
      test::check_close((*net)(one), row, 2e-5);
    }
    const Tensor many = concat(Tensors(8, two), 0), rows = concat(Tensors(8, expected), 0);
    test::check_close(step({many})[0], rows, 2e-5);
  });
}

}  // namespace

TEST_CASE("golden: the pipeline's CNN") {
  check_network(kCnn, tensor<float>({1.108404f,  -3.201995f,  -3.404064f, -1.772996f, 1.779199f,   //
                                     -1.786173f, 0.6848984f,  2.401261f,  -1.25618f,  0.6120053f,  //
                                     2.245295f,  -4.719678f,  -2.431679f, -1.631067f, 2.688719f,   //
                                     -1.558158f, -0.4385207f, 3.094796f,  -1.074419f, -0.3566858f},
                                    Shape{2, 10}));
}

TEST_CASE("golden: strides, a residual block, average pooling, smooth activations") {
  check_network(kResidual, tensor<float>({-1.535781f, -1.399546f, -1.337128f, -1.905705f, -2.066035f,  //
                                          -1.52583f, -1.397148f, -1.361284f, -1.897496f, -2.048073f},
                                         Shape{2, 5}));
}
