// Loss scaling: what a step with good gradients and one with bad ones do, on every device.
#include "uncial/optim/loss_scale.h"

#include <cmath>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"

using namespace uncial;
using namespace uncial::test;

namespace {

std::vector<optim::Recipe> recipes() {
  return {optim::SGD({.weight_decay = 0.1}),
          optim::SGD({.momentum = 0.9}),
          optim::SGD({.momentum = 0.8, .nesterov = true}),
          optim::RMSprop(),
          optim::RMSprop({.momentum = 0.5}),
          optim::Adam({.weight_decay = 0.1}),
          optim::AdamW()};
}

Tensors parameters_on(Device device, DType dtype) {
  return {parameter(randn({70, 30}, 1, dtype).to(device)), parameter(randn({5}, 2, dtype).to(device))};
}
void set_gradients(const Tensors& parameters, uint64_t seed, double factor) {
  for (const Tensor& p : parameters) p.set_grad((randn(p.shape(), seed, p.dtype()) * factor).to(p.device()));
}
Tensor here(const Tensor& x) { return x.detach().to(Device::cpu()).clone(); }
optim::NamedTensors copies(const optim::NamedTensors& state) {
  optim::NamedTensors all;
  for (const auto& [name, tensor] : state) all.emplace_back(name, here(tensor));
  return all;
}
double value_of(const Tensor& scalar) { return here(scalar).item(); }

}  // namespace

TEST_CASE("loss scale: a step with scaled gradients is the step with plain ones, for every optimiser") {
  for_each_device([](Device device) {
    for (const DType dtype : {DType::float32, DType::float64})
      for (const optim::Recipe& recipe : recipes()) {
        INFO(recipe.describe() << " on " << device << ", " << dtype);
        const Tensors plain = parameters_on(device, dtype), scaled = parameters_on(device, dtype);
        const auto a = recipe.bind(plain), b = recipe.bind(scaled);
        optim::LossScale scale(device, {.start = 1024, .interval = 2});
        for (uint64_t t = 0; t < 5; ++t) {
          set_gradients(plain, 10 + t, 1);
          set_gradients(scaled, 10 + t, value_of(scale.factor()));
          scale.update(scaled);
          optim::clip_grad_norm(plain, 20);
          optim::clip_grad_norm(scaled, 20, scale.unscale());
          a->step();
          b->step(scale.unscale());
        }
        CHECK(value_of(scale.factor()) == 4096);  // doubled after 2 steps and after 4
        CHECK(scale.skipped() == 0);
        CHECK(b->steps() == 5);
        for (size_t i = 0; i < plain.size(); ++i) check_close(here(scaled[i]), here(plain[i]), 1e-6);
        if (!device.is_cpu() || dtype != DType::float32) continue;
        for (size_t i = 0; i < plain.size(); ++i) CHECK(same_bits(plain[i].detach(), scaled[i].detach()));
      }
  });
}

TEST_CASE("loss scale: a step with a gradient that is not finite changes nothing but the factor") {
  for_each_device([](Device device) {
    for (const optim::Recipe& recipe : recipes())
      for (const double bad : {double(INFINITY), -double(INFINITY), double(NAN)}) {
        INFO(recipe.describe() << " on " << device << ", " << bad);
        const Tensors p = parameters_on(device, DType::float32);
        const auto optimizer = recipe.bind(p);
        optim::LossScale scale(device, {.start = 1024, .interval = 2});
        const auto step = [&](uint64_t seed) {
          scale.update(p);
          optim::clip_grad_norm(p, 1, scale.unscale());
          optimizer->step(scale.unscale());
          set_gradients(p, seed, 1000);
        };
        set_gradients(p, 3, 1000);
        step(4);
        const optim::NamedTensors before = copies(optimizer->state());
        const Tensor w = here(p[0]), b = here(p[1]);
        for (const Tensor& with_bad : p) {  // the last of its values
          const Tensor g = here(with_bad.grad());
          g.data<float>()[g.size() - 1] = float(bad);
          with_bad.set_grad(g.to(device));
          step(5);
          set_gradients(p, 6, 1000);
        }
        CHECK(same_bits(here(p[0]), w));
        CHECK(same_bits(here(p[1]), b));
        const optim::NamedTensors after = copies(optimizer->state());
        for (size_t i = 0; i < after.size(); ++i) {
          INFO(after[i].first);
          CHECK(same_bits(after[i].second, before[i].second));
        }
        CHECK(value_of(scale.factor()) == 256);
        CHECK(value_of(scale.unscale()) == 0);
        CHECK(scale.skipped() == 2);
        step(7);
        CHECK_FALSE(same_bits(here(p[0]), w));
        CHECK(value_of(scale.factor()) == 256);  // counting began anew
        step(8);
        CHECK(value_of(scale.factor()) == 512);
      }
  });
}

TEST_CASE("loss scale: between 1, where nothing is skipped, and 2^24") {
  for_each_device([](Device device) {
    const Tensor p = parameter(ones({3}).to(device));
    optim::SGD sgd({p}, {.lr = 1});
    optim::LossScale low(device, {.start = 2}), high(device, {.start = 1 << 23, .interval = 1});
    for (int i = 0; i < 2; ++i) {
      p.set_grad(full({3}, NAN).to(device));
      low.update({p});
      sgd.step(low.unscale());
      CHECK(value_of(low.factor()) == 1);
      CHECK(std::isnan(here(p).at({0})) == (i == 1));
    }
    CHECK(low.skipped() == 1);
    for (int i = 0; i < 3; ++i) {
      p.set_grad(ones({3}).to(device));
      high.update({p});
      CHECK(value_of(high.factor()) == 1 << 24);
    }
  });
}

TEST_CASE("loss scale: a recorded step replays all of it") {
  for_each_device([](Device device) {
    const Tensor w = parameter(full({1, 1}, 1).to(device));
    optim::SGD sgd({w}, {.lr = 0.5});
    optim::LossScale scale(device, {.start = 4096, .interval = 3});
    Compiled step = compile([&](const Tensors& in) {
      const Tensor loss = sum(matmul(in[0], w, Precision::fp16));  // d loss / dw = x
      loss.backward(scale.factor());
      scale.update({w});
      sgd.step(scale.unscale());
      sgd.zero_grad();
      return Tensors{loss.detach()};
    });
    double expected = 1;
    const auto take = [&](float x) {
      step({full({1, 1}, x).to(device)});
      REQUIRE(step.reason().empty());
    };
    for (int i = 0; i < 3; ++i) take(2), expected -= 1;
    CHECK(value_of(w) == expected);
    CHECK(value_of(scale.factor()) == 8192);
    take(INFINITY);
    CHECK(value_of(w) == expected);
    CHECK(value_of(scale.factor()) == 4096);
    take(2), expected -= 1;
    CHECK(value_of(w) == expected);
    CHECK(sgd.steps() == 4);
    CHECK(scale.skipped() == 1);
  });
}

TEST_CASE(
    "loss scale: state goes from one to another; options out of range and foreign scalars are refused") {
  const Tensor p = parameter(ones({3}));
  optim::LossScale a(Device::cpu(), {.start = 64, .interval = 3}),
      b(Device::cpu(), {.start = 8, .interval = 3});
  p.set_grad(full({3}, INFINITY));
  a.update({p});
  p.set_grad(ones({3}));
  a.update({p});
  b.load_state(copies(a.state()));
  for (optim::LossScale* scale : {&a, &b}) {
    scale->update({p});
    CHECK(value_of(scale->factor()) == 32);
    CHECK(scale->skipped() == 1);
    scale->update({p});
    CHECK(value_of(scale->factor()) == 64);
  }
  check_error([] { optim::LossScale(Device::cpu(), {.start = 1000}); },
              "start must be a power of two from 1 to 2^24, got 1000");
  check_error([] { optim::LossScale(Device::cpu(), {.start = 0.5}); }, "got 0.5");
  check_error([] { optim::LossScale(Device::cpu(), {.interval = 0}); }, "interval must be >= 1, got 0");
  optim::SGD sgd({p});
  check_error([&] { sgd.step(ones({}, DType::float64)); }, "unscale must be a float32 scalar on cpu");
}
