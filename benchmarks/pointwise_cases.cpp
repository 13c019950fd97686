#include <cmath>

#include "kernel_case.h"
#include "uncial/kernels/dropout.h"
#include "uncial/kernels/optim.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

constexpr int64_t kActivations = 128 * 64 * 24 * 24, kParameters = 1'199'882;  // of mnist_convnet

struct Activation {
  const char* name;
  Tensor (*ours)(const Tensor&);
  double (*formula)(double);
  double flops;
};

const Activation kList[] = {
    {"relu", relu, [](double x) { return std::max(x, 0.0); }, 1},
    {"gelu", gelu, [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }, 5},
    {"silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, 5},
    {"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 4},
    {"tanh", tanh, [](double x) { return std::tanh(x); }, 4},
};

void add_activation(const Activation& a) {
  const Tensor x = rand({kActivations}, 1, -4, 4);
  add_case({.name = std::string("activation/") + a.name,
            .flops = a.flops * double(kActivations),
            .bytes = 8.0 * double(kActivations),
            .tolerance = 1e-6,
            .samples = 128,
            .entries = {{"naive",
                         [=] {
                           const Tensor y = empty(x.shape());
                           return writing(y, [=] {
                             std::transform(x.data<float>(), x.data<float>() + x.size(), y.data<float>(),
                                            [=](float v) { return float(a.formula(v)); });
                           });
                         }},
                        {"uncial", [=] {
                           return recorded([=](const Tensors& in) { return Tensors{a.ours(in[0])}; }, {x});
                         }}}});
}

void add_dropout() {
  constexpr double kP = 0.25;
  const int64_t rows = 128, cols = 9216;
  const Tensor x = rand({rows, cols}, 1, -1, 1), state = tensor<int64_t>({1, 2, 3}),
               samples = arange(0, double(rows));
  const auto naive = [=](float* y) {
    const DropoutMask mask{1, 2, 3, dropout_threshold(kP)};
    for (int64_t i = 0; i < rows * cols; ++i) {
      const uint32_t word = mask.row(i / cols).block(uint64_t(i % cols / 4))[size_t(i % cols % 4)];
      y[i] = word < mask.threshold ? 0 : x.data<float>()[i] * float(1 / (1 - kP));
    }
  };
  add_case({.name = "dropout/128_9216",
            .flops = double(rows * cols),
            .bytes = 8.0 * double(rows * cols),
            .tolerance = 0,
            .samples = double(rows),
            .entries = {{"naive",
                         [=] {
                           const Tensor y = empty({rows, cols});
                           return writing(y, [=] { naive(y.data<float>()); });
                         }},
                        {"uncial", [=] {
                           return recorded(
                               [=](const Tensors& in) {
                                 return Tensors{dropout(in[0], kP, {in[1], in[2]})};
                               },
                               {x, state, samples});
                         }}}});
}

/// What an update rule changes and reads: parameter, gradient, two moments, rate, step.
struct Weights {
  Tensor p = rand({kParameters}, 1, -1, 1), g = rand({kParameters}, 2, -1, 1),
         m = rand({kParameters}, 3, -1, 1), v = rand({kParameters}, 4, 0, 1),
         lr = full({}, 1e-3, DType::float64), step = full({}, 5, DType::int64);
};

void naive_adam(const Weights& w) {
  float *p = w.p.data<float>(), *m = w.m.data<float>(), *v = w.v.data<float>();
  const float* g = w.g.data<float>();
  for (int64_t i = 0; i < kParameters; ++i) {
    m[i] = float(0.9 * m[i] + 0.1 * g[i]);
    v[i] = float(0.999 * v[i] + 0.001 * g[i] * g[i]);
    p[i] -=
        float(1e-3 * (m[i] / (1 - std::pow(0.9, 5))) / (std::sqrt(v[i] / (1 - std::pow(0.999, 5))) + 1e-8));
  }
}

void naive_sgd(const Weights& w) {
  float *p = w.p.data<float>(), *v = w.v.data<float>();
  for (int64_t i = 0; i < kParameters; ++i) {
    v[i] = float(0.9 * v[i] + w.g.data<float>()[i]);
    p[i] -= float(1e-3 * v[i]);
  }
}

Entry update(const char* name, void (*rule)(const Weights&)) {
  return {name, [=] {
            const Weights w;
            return writing(w.p, [=] { rule(w); });
          }};
}

void add_updates() {
  const auto adam = [](const Weights& w) {
    kernels::adam_update<float>(Device::cpu(), w.p.data<float>(), w.g.data<float>(), w.m.data<float>(),
                                w.v.data<float>(), w.lr.data<double>(), w.step.data<int64_t>(),
                                AdamRule{0.9, 0.999, 1e-8, 0, false}, nullptr, kParameters);
  };
  const auto sgd = [](const Weights& w) {
    kernels::sgd_update<float>(Device::cpu(), w.p.data<float>(), w.g.data<float>(), w.v.data<float>(),
                               w.lr.data<double>(), SgdRule{0.9, 0, false}, nullptr, kParameters);
  };
  add_case({.name = "update/adam",
            .flops = 12.0 * double(kParameters),
            .bytes = 28.0 * double(kParameters),
            .tolerance = 1e-6,
            .samples = 1,
            .entries = {update("naive", naive_adam), update("uncial", adam)}});
  add_case({.name = "update/sgd_momentum",
            .flops = 4.0 * double(kParameters),
            .bytes = 20.0 * double(kParameters),
            .tolerance = 1e-6,
            .samples = 1,
            .entries = {update("naive", naive_sgd), update("uncial", sgd)}});
}

}  // namespace

void add_pointwise_cases() {
  for (const Activation& a : kList) add_activation(a);
  add_dropout();
  add_updates();
}

}  // namespace uncial::bench
