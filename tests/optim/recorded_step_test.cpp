// A whole training step, recorded once and replayed, against the same step run eagerly: the same bits.
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"
#include "uncial/program/compile.h"

using namespace uncial;

namespace {

constexpr int kSteps = 20;
constexpr int64_t kBatch = 6;

/// A net with everything that has state: batch statistics, dropout keys, averages, optimiser.
struct Training {
  explicit Training(const optim::Recipe& recipe, Device device = Device::cpu())
      : net(nn::Conv2d(1, 4, {.kernel = 3, .bias = false}), nn::BatchNorm2d(4), nn::ReLU(), nn::MaxPool2d(2),
            nn::Dropout(0.3), nn::Flatten(), nn::Dense(4 * 3 * 3, 5)),
        context(nn::Mode::train),
        optimizer(recipe.bind(net.to(device).parameters())),
        average(net.parameters(), 0.9) {
    context.set_seed(3);
  }

  Tensors step(const Tensors& in) {
    optimizer->zero_grad();
    context.set_samples(in[2]);
    const Tensor loss = cross_entropy(net.forward(in[0], context), in[1], {.label_smoothing = 0.1});
    context.apply_updates();
    loss.backward();
    const Tensor norm = optim::clip_grad_norm(net.parameters(), 0.5);
    optimizer->step();
    average.update();
    optimizer->zero_grad();
    return {loss, norm};
  }

  nn::Sequential net;
  nn::Context context;
  std::shared_ptr<optim::Optimizer> optimizer;
  optim::AveragedWeights average;
};

Tensors batch(int t, Device device = Device::cpu()) {
  Tensor labels = empty({kBatch}, DType::int64), samples = empty({kBatch}, DType::int64);
  for (int64_t i = 0; i < kBatch; ++i) {
    labels.data<int64_t>()[i] = (i * 3 + t) % 5;
    samples.data<int64_t>()[i] = (i * 11 + t * 7) % 100;
  }
  return {randn({kBatch, 1, 8, 8}, uint64_t(t)).to(device), labels.to(device), samples.to(device)};
}

void check_same(const nn::NamedTensors& a, const nn::NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    INFO(a[i].first);
    CHECK(test::same_bits(a[i].second.detach(), b[i].second.detach()));
  }
}
void check_close(const nn::NamedTensors& a, const nn::NamedTensors& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    INFO(a[i].first);
    test::check_close(a[i].second, b[i].second, tolerance);
  }
}

void check_trajectory(const optim::Recipe& recipe, Device device) {
  INFO(recipe.describe() << " on " << device);
  Training eager(recipe, device), recorded(recipe, device);
  // Operators as they are: fused ones agree up to rounding only.
  Compiled step = compile([&](const Tensors& in) { return recorded.step(in); }, {.fuse = false});
  const Tensor start = eager.net.parameters()[0].detach().clone();
  for (int t = 0; t < kSteps; ++t) {
    for (Training* training : {&eager, &recorded}) {
      training->optimizer->set_lr(0.01 / (1 + t));
      training->context.set_epoch(t / 5);
    }
    const Tensors in = batch(t, device), expected = eager.step(in), actual = step(in);
    INFO("step " << t);
    REQUIRE(step.reason().empty());
    CHECK(test::same_bits(actual[0], expected[0].detach()));
    CHECK(test::same_bits(actual[1], expected[1].detach()));
    check_same(recorded.net.state_dict(), eager.net.state_dict());
  }
  check_same(recorded.optimizer->state(), eager.optimizer->state());
  check_same(recorded.average.state(), eager.average.state());
  CHECK(recorded.optimizer->steps() == kSteps);
  CHECK_FALSE(test::same_bits(start, eager.net.parameters()[0].detach()));
}

}  // namespace

TEST_CASE("recorded step: the same bits as the eager one, for every optimiser") {
  test::for_each_device([](Device device) {
    check_trajectory(optim::SGD({.momentum = 0.9, .nesterov = true, .weight_decay = 1e-3}), device);
    check_trajectory(optim::RMSprop({.momentum = 0.5}), device);
    check_trajectory(optim::Adam(), device);
    check_trajectory(optim::AdamW(), device);
  });
}

TEST_CASE("recorded step: a GPU ends where the CPU does") {
  test::for_each_gpu([](Device gpu) {
    Training here{optim::SGD({.momentum = 0.9})}, there(optim::SGD({.momentum = 0.9}), gpu);
    for (Training* training : {&here, &there}) {
      Compiled step = compile([&](const Tensors& in) { return training->step(in); });
      for (int t = 0; t < kSteps; ++t) step(batch(t, training == &here ? Device::cpu() : gpu));
      REQUIRE(step.reason().empty());
    }
    check_close(there.net.state_dict(), here.net.state_dict(), 1e-4);
    check_close(there.average.state(), here.average.state(), 1e-4);
  });
}

TEST_CASE("recorded step: gradients need no memory after the step") {
  Training training{optim::Adam()};
  Compiled step = compile([&](const Tensors& in) { return training.step(in); });
  step(batch(0));
  REQUIRE(step.program());
  for (const Tensor& p : training.net.parameters()) CHECK_FALSE(p.grad().defined());
  const uint64_t before = allocation_count();
  const Tensors in = batch(1);
  const uint64_t made = allocation_count();
  step(in);
  CHECK(allocation_count() == made);
  CHECK(made > before);
}

TEST_CASE("on a GPU one launch updates all parameters, with the bits of one after the other") {
  test::for_each_gpu([](Device gpu) {
    const auto train = [&](const optim::Recipe& recipe, bool fuse) {
      Tensors parameters;
      // More than go into one launch; empty, tiny, and longer than a block's share.
      const auto sizes = [](int64_t i) { return i % 7 == 0 ? 0 : i % 3 == 0 ? 1 : 20 * i; };
      for (int64_t i = 0; i < 150; ++i)
        parameters.push_back(parameter(randn({sizes(i)}, uint64_t(i)).to(gpu)));
      const auto optimizer = recipe.bind(parameters);
      optim::AveragedWeights average(parameters, 0.9);
      Compiled step = compile(
          [&](const Tensors& in) {
            optimizer->zero_grad();
            Tensor loss = in[0];
            for (const Tensor& p : parameters) loss = loss + sum(square(p - 0.5));
            loss.backward();
            optimizer->step();
            average.update();
            optimizer->zero_grad();
            return Tensors{loss.detach()};
          },
          {.fuse = fuse});
      for (int i = 0; i < 4; ++i) step({zeros({}, DType::float32, gpu)});
      REQUIRE(step.program());
      int64_t updates = 0, joined = 0;
      for (const std::string& name : step.program()->stages()) {
        updates += name.find("_update") != std::string::npos;
        joined += name.find("_update x 150") != std::string::npos;
      }
      CHECK(updates == (fuse ? 2 : 300));
      CHECK(joined == (fuse ? 2 : 0));
      nn::NamedTensors all = optimizer->state();
      for (const Tensor& p : parameters) all.emplace_back("p", p.detach());
      for (const auto& entry : average.state()) all.push_back(entry);
      return all;
    };
    for (const optim::Recipe& recipe :
         {optim::Recipe(optim::SGD({.lr = 0.1})), optim::Recipe(optim::SGD({.lr = 0.1, .momentum = 0.9})),
          optim::Recipe(optim::RMSprop({.lr = 0.1})),
          optim::Recipe(optim::RMSprop({.lr = 0.1, .momentum = 0.5})),
          optim::Recipe(optim::Adam({.lr = 0.1})), optim::Recipe(optim::AdamW({.lr = 0.1}))}) {
      INFO(recipe.describe());
      check_same(train(recipe, true), train(recipe, false));
    }
  });
}
