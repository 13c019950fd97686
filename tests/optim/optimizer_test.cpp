// Optimisers against the formulas, computed here in float64 by loops of their own.
#include "uncial/optim/optimizer.h"

#include <cmath>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using test::check_error;

namespace {

constexpr int kSteps = 25;
constexpr int64_t kSize = 67;  // full vectors and a rest on every instruction set

/// State of one parameter value.
struct Value {
  double p, a = 0, b = 0;
};
/// One update of a value: gradient g, step t from 1, learning rate.
using Rule = std::function<void(Value& x, double g, int t, double lr)>;

double rate_of(int t) { return t <= 10 ? 0.05 : 0.02; }
/// Gradients that depend on the place, the step and the parameter.
double gradient_of(double p, int64_t i, int t) { return 0.3 * p + std::sin(double(3 * i + 7 * t)); }

std::vector<double> expected_trajectory(const Rule& rule) {
  std::vector<double> end;
  for (int64_t i = 0; i < kSize; ++i) {
    Value x{.p = std::cos(double(i))};
    for (int t = 1; t <= kSteps; ++t) rule(x, gradient_of(x.p, i, t), t, rate_of(t));
    end.push_back(x.p);
  }
  return end;
}

/// Takes kSteps from the same start with the same gradients.
Tensor trajectory(const optim::Recipe& recipe, DType dtype, Device device = Device::cpu()) {
  const Tensor p = parameter(empty({kSize}, dtype, device));
  for (int64_t i = 0; i < kSize; ++i) p.detach().slice(0, {i, i + 1}).fill_(std::cos(double(i)));
  const auto optimizer = recipe.bind({p});
  for (int t = 1; t <= kSteps; ++t) {
    optimizer->set_lr(rate_of(t));
    Tensor g = empty({kSize}, DType::float64);
    for (int64_t i = 0; i < kSize; ++i) g.data<double>()[i] = gradient_of(p.at({i}), i, t);
    p.set_grad(g.to(dtype).to(device));
    optimizer->step();
    optimizer->zero_grad();
  }
  CHECK(optimizer->steps() == kSteps);
  return p.detach();
}

void check_rule(const optim::Recipe& recipe, const Rule& rule) {
  INFO(recipe.describe());
  const std::vector<double> end = expected_trajectory(rule);
  const Tensor expected = from_values(std::span<const double>(end), {kSize});
  test::check_close(trajectory(recipe, DType::float64), expected, 1e-12);
  test::for_each_isa([&](const std::string& isa) {
    INFO(isa);
    test::check_close(trajectory(recipe, DType::float32), expected, 2e-5);
  });
  test::for_each_gpu([&](Device gpu) {
    INFO(gpu);
    test::check_close(trajectory(recipe, DType::float64, gpu), expected, 1e-12);
    test::check_close(trajectory(recipe, DType::float32, gpu), expected, 2e-5);
  });
}

Tensor start() { return parameter(randn({3, 2}, 1)); }

}  // namespace

TEST_CASE("optimizer: SGD") {
  check_rule(optim::SGD(), [](Value& x, double g, int, double lr) { x.p -= lr * g; });
  check_rule(optim::SGD({.weight_decay = 0.1}),
             [](Value& x, double g, int, double lr) { x.p -= lr * (g + 0.1 * x.p); });
  check_rule(optim::SGD({.momentum = 0.9, .weight_decay = 0.01}), [](Value& x, double g, int, double lr) {
    x.a = 0.9 * x.a + g + 0.01 * x.p;
    x.p -= lr * x.a;
  });
  check_rule(optim::SGD({.momentum = 0.8, .nesterov = true, .weight_decay = 0.02}),
             [](Value& x, double g, int, double lr) {
               g += 0.02 * x.p;
               x.a = 0.8 * x.a + g;
               x.p -= lr * (g + 0.8 * x.a);
             });
}

TEST_CASE("optimizer: RMSprop") {
  check_rule(optim::RMSprop({.alpha = 0.95, .epsilon = 1e-4, .weight_decay = 0.03}),
             [](Value& x, double g, int, double lr) {
               g += 0.03 * x.p;
               x.a = 0.95 * x.a + 0.05 * g * g;
               x.p -= lr * g / (std::sqrt(x.a) + 1e-4);
             });
  check_rule(optim::RMSprop({.momentum = 0.7}), [](Value& x, double g, int, double lr) {
    x.a = 0.99 * x.a + 0.01 * g * g;
    x.b = 0.7 * x.b + g / (std::sqrt(x.a) + 1e-8);
    x.p -= lr * x.b;
  });
}

TEST_CASE("optimizer: Adam and AdamW") {
  const auto adam = [](Value& x, double g, int t, double lr) {
    x.a = 0.9 * x.a + 0.1 * g;
    x.b = 0.99 * x.b + 0.01 * g * g;
    const double m = x.a / (1 - std::pow(0.9, t)), v = x.b / (1 - std::pow(0.99, t));
    x.p -= lr * m / (std::sqrt(v) + 1e-6);
  };
  check_rule(optim::Adam({.beta2 = 0.99, .epsilon = 1e-6}), adam);
  check_rule(optim::Adam({.beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.1}),
             [&](Value& x, double g, int t, double lr) { adam(x, g + 0.1 * x.p, t, lr); });
  check_rule(optim::AdamW({.beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.1}),
             [&](Value& x, double g, int t, double lr) {
               x.p -= lr * 0.1 * x.p;
               adam(x, g, t, lr);
             });
}

TEST_CASE("optimizer: the same bits for any number of threads, and a GPU agrees") {
  const auto run = [](int threads, Device device = Device::cpu()) {
    const test::Threads scope(threads);
    const Tensor p = parameter(randn({100'000}, 1).to(device));
    optim::Adam adam({p});
    for (uint64_t t = 0; t < 3; ++t) {
      p.set_grad(randn({100'000}, 2 + t).to(device));
      optim::clip_grad_norm({p}, 1);
      adam.step();
    }
    return p.detach();
  };
  const Tensor one = run(1);
  CHECK(test::same_bits(one, run(2)));
  CHECK(test::same_bits(one, run(3)));
  test::for_each_gpu([&](Device gpu) { test::check_close(run(1, gpu), one, 2e-5); });
}

TEST_CASE("optimizer: parameters without a gradient stay as they are") {
  const Tensor a = start(), b = start();
  const Tensor before = b.detach().clone();
  optim::Adam adam({a, b}, {.weight_decay = 0.5});
  square(a).sum().backward();
  adam.step();
  CHECK(test::same_bits(b.detach(), before));
  CHECK_FALSE(test::same_bits(a.detach(), before));
  CHECK(a.grad().defined());
  adam.zero_grad();
  CHECK_FALSE(a.grad().defined());
}

TEST_CASE("optimizer: recipes bind, describe themselves and refuse to step") {
  optim::SGD recipe({.lr = 0.5, .momentum = 0.9});
  CHECK_FALSE(recipe.bound());
  check_error([&] { recipe.step(); }, "recipe");
  const auto bound = optim::Recipe(recipe).bind({start()});
  CHECK(bound->bound());
  CHECK(bound->kind() == "sgd");
  CHECK(bound->lr() == 0.5);
  CHECK(bound->describe() == "sgd lr=0.5 momentum=0.9 nesterov=0 weight_decay=0");
  CHECK(optim::AdamW().describe() == "adamw lr=0.001 beta1=0.9 beta2=0.999 epsilon=1e-08 weight_decay=0.01");
  CHECK(optim::AdamW({.lr = 0.1}).recipe()->describe() ==
        "adamw lr=0.1 beta1=0.9 beta2=0.999 epsilon=1e-08 weight_decay=0.01");
  CHECK(optim::Recipe().describe().substr(0, 5) == "adam ");
  bound->set_lr(0.25);
  CHECK(bound->lr() == 0.25);
  CHECK(recipe.lr() == 0.5);
}

TEST_CASE("optimizer: wrong options and parameters") {
  check_error([] { optim::SGD({.lr = -1}); }, "learning rate");
  check_error([] { optim::SGD({.lr = NAN}); }, "learning rate");
  check_error([] { optim::SGD({.momentum = 1}); }, "momentum");
  check_error([] { optim::SGD({.nesterov = true}); }, "momentum above 0");
  check_error([] { optim::Adam({.beta1 = 1}); }, "beta1");
  check_error([] { optim::RMSprop({.epsilon = -1}); }, "epsilon");
  check_error([] { optim::Adam(Tensors{}); }, "no parameters");
  check_error([] { optim::Adam({Tensor()}); }, "undefined");
  check_error([] { optim::Adam({zeros({2})}); }, "leaf");
  check_error([] { optim::Adam({parameter(zeros({2, 3}).transpose())}); }, "strided");
  const Tensor p = start();
  optim::Adam adam({p});
  p.set_grad(zeros({3, 2}, DType::float64));
  check_error([&] { adam.step(); }, "gradient is float64");
}

TEST_CASE("optimizer: state moves to another optimiser and goes on there") {
  const auto steps = [](const Tensor& p, optim::Optimizer& optimizer, uint64_t first, uint64_t last) {
    for (uint64_t t = first; t < last; ++t) {
      p.set_grad(randn({3, 2}, t));
      optimizer.step();
    }
  };
  const Tensor p = start();
  optim::Adam whole({p});
  whole.set_lr(0.3);
  steps(p, whole, 0, 4);
  const Tensor q = parameter(p.detach().clone());
  optim::Adam resumed({q});
  resumed.load_state(whole.state());
  CHECK(resumed.steps() == 4);
  CHECK(resumed.lr() == 0.3);
  steps(p, whole, 4, 8);
  steps(q, resumed, 4, 8);
  CHECK(test::same_bits(p.detach(), q.detach()));

  std::vector<std::string> names;
  for (const auto& [name, tensor] : whole.state()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"step", "lr", "0.m", "0.v"});
  check_error(
      ErrorKind::data, [&] { resumed.load_state(optim::RMSprop({start()}).state()); },
      "optimizer state of adam", "0.m: missing", "0.v: missing", "0.s: not expected");
}

TEST_CASE("clip: by the common norm of all gradients") {
  const Tensor a = parameter(zeros({2})), b = parameter(zeros({1}, DType::float64)),
               none = parameter(zeros({3}));
  a.set_grad(tensor<float>({3, 0}));
  b.set_grad(tensor<double>({4}));
  const Tensor kept = a.grad();
  CHECK(optim::clip_grad_norm({a, b, none}, 10).item() == Approx(5));
  test::check_close(a.grad(), tensor<float>({3, 0}), 0);
  CHECK(optim::clip_grad_norm({a, b, none}, 1).item() == Approx(5));
  test::check_close(a.grad(), tensor<float>({0.6f, 0}), 1e-6);
  test::check_close(b.grad(), tensor<double>({0.8}), 1e-6);
  CHECK(optim::clip_grad_norm({a, b}, 9).item() <= 1);
  test::check_close(kept, tensor<float>({3, 0}), 0);  // out of place: somebody may share it
  CHECK_FALSE(none.grad().defined());
  CHECK(optim::clip_grad_norm({none}, 1).item() == 0);
  check_error([&] { optim::clip_grad_norm({a}, 0); }, "max_norm");
}

TEST_CASE("clip: by value") {
  const Tensor a = parameter(zeros({3}));
  a.set_grad(tensor<float>({-3, 0.25f, 2}));
  optim::clip_grad_value({a}, 0.5);
  test::check_close(a.grad(), tensor<float>({-0.5f, 0.25f, 0.5f}), 0);
  check_error([&] { optim::clip_grad_value({a}, -1); }, "limit");
}
