// Training: runs of one net, one after the other, are those of fit().
#include "support/catch.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "train/experiment.h"

using namespace uncial;
using namespace uncial::test;

namespace {

train::FitOptions everything_with_state(uint64_t seed, Precision precision) {
  return {.epochs = 2,
          .batch = 16,
          .augment = vision::Compose({vision::RandomAffine({.degrees = 8, .shift = 0.05}),
                                      vision::ElasticDistortion({.alpha = 1, .sigma = 1}),
                                      vision::RandomNoise(0.02)}),
          .optimizer = optim::Adam({.lr = 0.02}),
          .schedule = std::make_shared<Halving>(),
          .label_smoothing = 0.1,
          .average = 0.8,
          .seed = seed,
          .precision = precision,
          .loss_scale = {.start = 1 << 24, .interval = 3}};
}

/// Weights, running statistics and the loss of each epoch.
std::string outcome(const nn::Module& net, const train::History& history) {
  nn::NamedTensors all;
  for (const auto& [name, tensor] : net.state_dict()) all.emplace_back(name, tensor.to(Device::cpu()));
  std::string text = digest_of(all);
  for (const train::EpochRecord& epoch : history.epochs) text += join(' ', epoch.loss, ' ', epoch.lr);
  return text;
}

/// Without batch norm, so that a GPU takes it as a chain in bfloat16.
nn::Sequential chained_net(uint64_t seed) {
  nn::Sequential net(nn::Conv2d(1, 8, {.kernel = 3}), nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(),
                     nn::Dropout(0.2), nn::Dense(72, 4));
  net.initialize({.seed = seed});
  return net;
}

nn::Sequential net_for(Precision precision, uint64_t seed) {
  return precision == Precision::bf16 ? chained_net(seed) : small_net(seed);
}

std::string fitted(Device device, uint64_t seed, Precision precision) {
  nn::Sequential net = net_for(precision, seed);
  net.to(device);
  return outcome(net, train::fit(net, blobs(90, 1), everything_with_state(seed, precision)));
}

}  // namespace

TEST_CASE("runs of one Training have the bits of fit() with their seeds") {
  const Precision precision = GENERATE(Precision::float32, Precision::bf16, Precision::fp16);
  for_each_device([&](Device device) {
    INFO(name_of(precision) << " on " << device);
    nn::Sequential net = net_for(precision, 3);
    net.to(device);
    train::Training training(net, blobs(90, 1), everything_with_state(3, precision));
    CHECK(outcome(net, training.run()) == fitted(device, 3, precision));
    for (const uint64_t seed : {4, 3}) {
      net.initialize({.seed = seed});
      training.restart(seed);
      CHECK(outcome(net, training.run()) == fitted(device, seed, precision));
    }
    CHECK(fitted(device, 3, precision) != fitted(device, 4, precision));
  });
}

TEST_CASE("a Training says what it cannot do") {
  nn::Sequential net = small_net(1);
  check_error([&] { train::Training(net, blobs(20, 1), {.epochs = 0}); }, "fit: epochs must be >= 1, got 0.");
  train::Training training(net, blobs(20, 1), {.epochs = 1, .batch = 10});
  training.run();
  check_error([&] { training.run(); },
              "Training: run() once more without a restart(); call restart(seed) before.");
  training.restart(2);
  net.parameters()[0].detach().fill_(NAN);
  check_error([&] { training.run(); }, "0.weight (6, 1, 3, 3) is not finite before the first step.");
}
