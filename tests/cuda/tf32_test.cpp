// Products in tf32: as exact as 11 bits of a factor allow, and not the same as in float32, which shows that
// the libraries were asked for it. In float32, and without tensor cores for it, float32 it stays.
#include <cmath>

#include "runtime.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"

using namespace uncial;
using namespace uncial::test;

namespace {

struct Product {
  const char* name;
  std::function<Tensor(const Tensor& x, const Tensor& w, Precision precision)> run;
  Shape x, w;
};

std::vector<Product> products() {
  return {{"matmul",
           [](const Tensor& x, const Tensor& w, Precision p) { return matmul(x, w, p); },
           {96, 256},
           {256, 128}},
          {"linear",
           [](const Tensor& x, const Tensor& w, Precision p) {
             return linear(x, w, zeros({w.size(0)}, x.dtype(), x.device()), p);
           },
           {96, 256},
           {128, 256}},
          {"conv2d",
           [](const Tensor& x, const Tensor& w, Precision p) {
             return conv2d(x, w, {}, {.padding = 1, .precision = p});
           },
           {4, 16, 12, 12},
           {32, 16, 3, 3}}};
}

/// The value and the gradients of both factors.
Tensors results(const Product& product, const Tensor& x, const Tensor& w, const Tensor& dy,
                Precision precision) {
  const Tensor a = parameter(x.clone()), b = parameter(w.clone()), y = product.run(a, b, precision);
  const Tensors d = gradients(y, {a, b}, dy);
  return {y.detach().to(Device::cpu()), d[0].to(Device::cpu()), d[1].to(Device::cpu())};
}

/// The largest error of an element, in parts of the sum of its products' magnitudes.
double error_of(const Tensor& got, const Tensor& exact, const Tensor& magnitude) {
  const Tensor a = got.to(DType::float64).contiguous(), b = exact.contiguous(), m = magnitude.contiguous();
  double worst = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(a.data<double>()[i] - b.data<double>()[i]) / m.data<double>()[i]);
  return worst;
}

}  // namespace

TEST_CASE("on a GPU: tf32 sees 11 bits of each factor, float32 all of them") {
  for_each_gpu([](Device gpu) {
    for (const Product& p : products()) {
      const Tensor x = randn(p.x, 1), w = randn(p.w, 2),
                   dy = randn(p.run(x, w, Precision::float32).shape(), 3);
      const auto in_doubles = [&](const std::function<Tensor(const Tensor&)>& f) {
        const auto wide = [&](const Tensor& t) { return f(t.to(DType::float64)); };
        return results(p, wide(x), wide(w), wide(dy), Precision::float32);
      };
      const Tensors exact = in_doubles([](const Tensor&t) { return t; }),
                    magnitudes = in_doubles([](const Tensor&t) { return abs(t); });
      const Tensors single = results(p, x.to(gpu), w.to(gpu), dy.to(gpu), Precision::float32),
                    tf32 = results(p, x.to(gpu), w.to(gpu), dy.to(gpu), Precision::tf32);
      bool seen = false;  // in one of the three at least: cuDNN may have nothing on tensor cores for some
      for (size_t i = 0; i < exact.size(); ++i) {
        INFO(p.name << ", result " << i);
        const double e = error_of(single[i], exact[i], magnitudes[i]),
                     t = error_of(tf32[i], exact[i], magnitudes[i]);
        INFO("float32 " << e << ", tf32 " << t);
        CHECK(e < 2e-6);
        CHECK(t < 0x1p-9 * 1.01);  // two factors, cut off behind 11 bits
        seen = seen || t > 10 * e;
      }
      INFO(p.name);
      CHECK((seen || !cuda::gpu_limits().multiplies_bfloat16));
    }
  });
}

TEST_CASE("on a GPU: a recorded step in tf32 agrees with the eager one, and differs from float32") {
  for_each_gpu([](Device gpu) {
    nn::Sequential net(nn::Conv2d(8, 32, {.kernel = 3}), nn::ReLU(), nn::Flatten(), nn::Dense(32 * 36, 64));
    net.initialize({.seed = 1});
    net.to(gpu);
    const Tensor x = randn({32, 8, 8, 8}, 2).to(gpu);
    const auto run = [&](Precision precision, bool record) {
      const auto step = [&](const Tensors& in) {
        const PrecisionScope scope(precision);
        return Tensors{net(in[0]).detach()};
      };
      return (record ? compile(step)({x}) : step({x}))[0].to(Device::cpu());
    };
    CHECK(same_bits(run(Precision::tf32, true), run(Precision::tf32, false)));
    if (cuda::gpu_limits().multiplies_bfloat16)
      CHECK_FALSE(same_bits(run(Precision::tf32, true), run(Precision::float32, true)));
  });
}
