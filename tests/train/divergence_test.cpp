#include <limits>

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "train/small_runs.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

bool finite(const nn::Module& net) {
  for (const auto& [path, tensor] : net.state_dict())
    for (const float value : tensor.span<float>())
      if (!std::isfinite(value)) return false;
  return true;
}

/// sqrt(w^2) with a weight at 0: the value is finite, the gradient 0 * infinity.
class BadGradient final : public nn::Module {
 public:
  Tensor forward(const Tensor& x, nn::Context&) const override { return x * exp(log(weight * weight)); }
  std::string_view kind() const override { return "bad_gradient"; }
  void visit(nn::Fields& fields) override { fields.parameter("weight", weight, nn::init::constant(0)); }
  std::shared_ptr<nn::Module> copy() const override { return std::make_shared<BadGradient>(*this); }
  Tensor weight = parameter(zeros({1}));
};

/// Turns the images of one epoch into NaN.
class Poison final : public vision::Transform {
 public:
  void apply(const Tensor& images, const std::vector<int64_t>&, vision::AugmentKey key) const override {
    if (key.epoch == 2) images.fill_(std::numeric_limits<double>::quiet_NaN());
  }
  std::string describe() const override { return "poison"; }
};

}  // namespace

TEST_CASE("A rate that is far too high is reported as divergence", "[train]") {
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 32), nn::ReLU(), nn::Dense(32, 4));
  net.initialize({.seed = 1});
  const bool record = GENERATE(true, false);
  check_error(
      ErrorKind::diverged,
      [&] {
        train::fit(net, blobs(320, 1),
                   {.epochs = 20, .batch = 16, .optimizer = optim::SGD({.lr = 1e20}), .record = record});
      },
      "(epoch 1)", "first bad tensor: ", "in step", "learning rate 1e+20", "Lower the learning rate");
  CHECK(finite(net));
}

TEST_CASE("The first bad tensor is named: a gradient", "[train]") {
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 4), BadGradient());
  check_error(
      ErrorKind::diverged, [&] { train::fit(net, blobs(64, 1), {.epochs = 1, .batch = 16}); }, "at step 2",
      "first bad tensor: gradient of 2.weight (1) in step 1");
  CHECK(finite(net));
}

TEST_CASE("In float16 steps are skipped down to a loss scale of 1, and no skipped one is blamed", "[train]") {
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 4), BadGradient());
  const bool record = GENERATE(true, false);
  check_error(
      ErrorKind::diverged,
      [&] {
        train::fit(net, blobs(64, 1),
                   {.epochs = 6,
                    .batch = 16,
                    .record = record,
                    .precision = Precision::fp16,
                    .loss_scale = {.start = 64}});
      },
      "at step 8 (epoch 2)", "first bad tensor: gradient of 2.weight (1) in step 7");
  CHECK(finite(net));
}

TEST_CASE("The first bad tensor is named: the last step's gradient", "[train]") {
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 4), BadGradient());
  check_error(
      ErrorKind::diverged, [&] { train::fit(net, blobs(16, 1), {.epochs = 1, .batch = 16}); },
      "2.weight stopped being finite at step 1", "gradient of 2.weight");
}

TEST_CASE("A stop does not save weights that are not finite", "[train]") {
  const TempFolder folder;
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 4), BadGradient());
  std::stop_source stop;
  const train::FitOptions options{.epochs = 1,
                                  .batch = 16,
                                  .callbacks = {train::Checkpoint(folder / "run")},
                                  .progress = [&](const train::Progress&) { stop.request_stop(); },
                                  .stop = stop.get_token()};
  check_error(
      ErrorKind::diverged, [&] { train::fit(net, blobs(64, 1), options); }, "stopped being finite at step 1");
  CHECK(folder.names().empty());
}

TEST_CASE("The first bad tensor is named: images, activations", "[train]") {
  nn::Sequential net = small_net();
  check_error(
      ErrorKind::diverged,
      [&] {
        train::fit(net, blobs(64, 1), {.epochs = 3, .batch = 16, .augment = std::make_shared<Poison>()});
      },
      "loss became NaN at step 5 (epoch 2)", "first bad tensor: images of the batch");
  CHECK(finite(net));

  nn::Sequential huge(nn::Flatten(), nn::Dense(64, 8), nn::Dense(8, 4));
  for (const auto& [path, tensor] : huge.named_parameters()) tensor.detach().fill_(1e30);
  check_error(
      ErrorKind::diverged, [&] { train::fit(huge, blobs(64, 1), {.epochs = 1, .batch = 16}); },
      "at step 1 (epoch 1): first bad tensor: activation of 2 (dense) (16, 4) in step 1");
}

TEST_CASE("Weights that are bad at the start are a mistake of the caller", "[train]") {
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 4));
  net.named_parameters()[0].second.detach().fill_(std::numeric_limits<double>::infinity());
  check_error(
      ErrorKind::usage, [&] { train::fit(net, blobs(64, 1), {.epochs = 1, .batch = 16}); },
      "1.weight (4, 64) is not finite before the first step");
}

TEST_CASE("A divergence leaves the last good checkpoint and the best weights", "[train]") {
  const TempFolder folder;
  nn::Sequential net = small_net(), one_epoch = small_net();
  const auto options = [&](std::vector<train::CallbackPtr> callbacks) {
    return train::FitOptions{.validation = blobs(32, 2),
                             .epochs = 3,
                             .batch = 16,
                             .augment = std::make_shared<Poison>(),
                             .callbacks = std::move(callbacks)};
  };
  auto first = options({});
  first.epochs = 1;
  train::fit(one_epoch, blobs(64, 1), first);
  check_error(
      ErrorKind::diverged,
      [&] {
        train::fit(net, blobs(64, 1), options({train::EarlyStopping(), train::Checkpoint(folder / "run")}));
      },
      "loss became NaN");
  CHECK(digest_of(net) == digest_of(one_epoch));
  CHECK(folder.names() == std::vector<std::string>{"run_best.safetensors", "run_checkpoint.safetensors"});

  // Resuming from it runs into the same batch: the checkpoint is of the end of epoch 1.
  auto again = options({train::EarlyStopping(), train::Checkpoint(folder / "run")});
  again.resume = true;
  nn::Sequential other = small_net(5);
  check_error(
      ErrorKind::diverged, [&] { train::fit(other, blobs(64, 1), again); }, "at step 5 (epoch 2)");
  CHECK(digest_of(other) == digest_of(one_epoch));
}
