// Operators that move several values at once, where values do not come in whole vectors: sizes beside those
// of a thread and of a block, memory that begins anywhere. Each answer is the CPU's.

#include <cmath>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"

using namespace uncial;
using namespace uncial::test;

namespace {

using Function = std::function<Tensor(const Tensor&)>;

/// f gives on every GPU what it gives on the CPU, also for an x whose memory begins one value later.
void check_same(const Function& f, const Tensor& x, double tolerance = 0) {
  const Tensor expected = f(x);
  for_each_gpu([&](Device gpu) {
    check_close(f(x.to(gpu)), expected, tolerance);
    const Tensor later = zeros({x.size() + 1}, x.dtype(), gpu).slice(0, {.start = 1});
    later.copy_(x.reshape({x.size()}).to(gpu));
    check_close(f(later.reshape(x.shape())), expected, tolerance);
  });
}

/// The gradient of f for a dy of 1, 2, 3 ...
Function gradient_of(const Function& f) {
  return [f](const Tensor& in) {
    const Tensor x = parameter(in), y = f(x);
    y.backward(arange(1, 1 + double(y.size()), 1, y.dtype()).reshape(y.shape()).to(y.device()));
    return x.grad();
  };
}

}  // namespace

TEST_CASE("on a GPU: functions of one operand at all sizes and places") {
  for (DType type : {DType::float32, DType::float64})
    for (int64_t size : {1, 2, 3, 5, 1023, 1024, 1025, 13000, 16384}) {
      INFO(type << ' ' << size);
      const Tensor x = randn({size}, 1).to(type);
      const double tolerance = type == DType::float32 ? 1e-6 : 1e-14;
      check_same([](const Tensor& t) { return relu(t); }, x);
      check_same(gradient_of([](const Tensor& t) { return relu(t); }), x);
      check_same([](const Tensor& t) { return tanh(t); }, x, tolerance);
    }
}

TEST_CASE("on a GPU: dropout of rows of all lengths") {
  for (DType type : {DType::float32, DType::float64})
    for (const Shape& shape :
         {Shape{1, 1}, Shape{5, 3}, Shape{3, 4}, Shape{7, 130}, Shape{9, 128}, Shape{2, 4100}}) {
      INFO(type << shape);
      const Tensor samples = arange(3, 3 + double(shape[0]));
      const auto drop = [&](const Tensor& t) {
        return dropout(t, 0.4, {tensor<int64_t>({1, 2, 3}).to(t.device()), samples.to(t.device())});
      };
      check_same(drop, randn(shape, 1).to(type));
      check_same(gradient_of(drop), randn(shape, 2).to(type));
    }
}

TEST_CASE("on a GPU: pools of 2x2 windows side by side, with ties, NaN and odd sides") {
  for (DType type : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{1, 1, 2, 4}, Shape{2, 3, 6, 8}, Shape{3, 5, 24, 24}, Shape{2, 2, 4, 6},
                               Shape{2, 2, 5, 8}, Shape{1, 3, 64, 36}}) {
      INFO(type << shape);
      const Tensor x = rand(shape, 3, 0, 3).to(DType::int64).to(type);
      const auto most = [](const Tensor& t) { return max_pool2d(t, {.kernel = 2}); };
      const auto mean = [](const Tensor& t) { return avg_pool2d(t, {.kernel = 2}); };
      check_same(most, x);
      check_same(gradient_of(most), x);
      check_same(mean, randn(shape, 4).to(type), 1e-6);
      check_same(gradient_of(mean), x, 1e-6);
      Tensor holes = x.clone();
      for (int64_t i = 0; i < holes.size(); i += 5)
        holes.reshape({holes.size()}).slice(0, {.start = i, .stop = i + 1}).fill_(NAN);
      check_same(most, holes);
      check_same(gradient_of(most), holes);
    }
}

TEST_CASE("on a GPU: softmax and sums of lines of all lengths") {
  for (DType type : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{130, 1}, Shape{260, 10}, Shape{257, 12}, Shape{3, 33}, Shape{2, 64},
                               Shape{5, 1000}, Shape{2, 4096}, Shape{2, 4099}, Shape{1, 70000}}) {
      INFO(type << shape);
      const double tolerance = type == DType::float32 ? 1e-5 : 1e-12;
      const Tensor x = randn(shape, 1).to(type);
      check_same([](const Tensor& t) { return softmax(t); }, x, tolerance);
      check_same([](const Tensor& t) { return log_softmax(t); }, x, tolerance);
      check_same([](const Tensor& t) { return sum(t, 1); }, x, tolerance);
    }
}

TEST_CASE("on a GPU: batch norm of channels in one piece and in several") {
  const auto norm = [](const Tensor& t) {
    const Tensor scale = full({2}, 1.5, t.dtype(), t.device()), shift = full({2}, -1, t.dtype(), t.device());
    return batch_norm(t, scale, shift).y;
  };
  for (DType type : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{2, 2, 1, 1}, Shape{3, 2, 4, 4}, Shape{3, 2, 5, 5}, Shape{5, 2, 60, 60},
                               Shape{4, 2, 83, 83}}) {
      INFO(type << shape);
      const Tensor x = (randn(shape, 1) + 3).to(type);
      check_same(norm, x, type == DType::float32 ? 1e-5 : 1e-11);
      // Gradients of a dy of 1, 2, 3 ... are far apart.
      check_same([&](const Tensor& t) { return gradient_of(norm)(t) * (1.0 / double(t.size())); }, x,
                 type == DType::float32 ? 1e-5 : 1e-10);
    }
}

TEST_CASE("on a GPU: parameters of all sizes are updated as on the CPU") {
  const std::vector<int64_t> sizes{1, 3, 2047, 2048, 2049, 5000};
  const auto trained = [&](Device device, DType type, int64_t offset, auto make) {
    Tensors parameters;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const Tensor all = randn({sizes[i] + offset}, i).to(type).to(device);
      parameters.push_back(parameter(all.slice(0, {.start = offset})));
    }
    auto rule = make(parameters);
    for (uint64_t step = 0; step < 3; ++step) {
      for (size_t i = 0; i < sizes.size(); ++i)
        parameters[i].set_grad(randn({sizes[i]}, 100 * step + i).to(type).to(device));
      rule.step();
    }
    Tensors result;
    for (const Tensor& p : parameters) result.push_back(p.detach().to(Device::cpu()));
    return concat(result);
  };
  const auto check = [&](auto make) {
    for (DType type : {DType::float32, DType::float64})
      for (int64_t offset : {0, 1}) {
        INFO(type << " offset " << offset);
        const Tensor expected = trained(Device::cpu(), type, offset, make);
        for_each_gpu([&](Device gpu) {
          check_close(trained(gpu, type, offset, make), expected, type == DType::float32 ? 1e-5 : 1e-12);
        });
      }
  };
  check([](const Tensors& p) { return optim::SGD(p, {.lr = 0.1, .weight_decay = 0.01}); });
  check([](const Tensors& p) { return optim::SGD(p, {.lr = 0.1, .momentum = 0.9, .nesterov = true}); });
  check([](const Tensors& p) { return optim::RMSprop(p, {.lr = 0.01}); });
  check([](const Tensors& p) { return optim::RMSprop(p, {.lr = 0.01, .momentum = 0.9}); });
  check([](const Tensors& p) { return optim::Adam(p, {.lr = 0.01, .weight_decay = 0.1}); });
}
