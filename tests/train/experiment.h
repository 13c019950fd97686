#pragma once
/// A run with everything that has state, for tests of resuming.

#include <cmath>
#include <utility>

#include "train/small_runs.h"

namespace uncial::test {

/// Steps of an epoch.
inline constexpr int64_t kBatches = 6;

/// Halves the rate after each epoch: its state decides every later step.
class Halving final : public optim::Schedule {
 public:
  double rate(double lr, int64_t, int64_t) const override { return std::ldexp(lr, -epochs_); }
  void on_validation(double) override { ++epochs_; }
  std::string describe() const override { return "halving"; }
  std::vector<double> state() const override { return {double(epochs_)}; }
  void load_state(const std::vector<double>& state) override { epochs_ = int(state.at(0)); }

 private:
  int epochs_ = 0;
};

/// A run with everything that has state: dropout, batch norm, augmentation, averaged weights, a schedule that
/// learns, early stopping, clipping, and a last batch that is smaller.
struct Experiment {
  explicit Experiment(std::filesystem::path where) : prefix(std::move(where)) {}

  train::FitOptions options() const {
    return {.validation = blobs(48, 2),
            .epochs = 4,
            .batch = 16,
            .augment = vision::RandomAffine({.degrees = 8, .shift = 0.05}),
            .optimizer = optim::Adam({.lr = 0.02}),
            .schedule = optim::warm_up(8, std::make_shared<Halving>()),
            .label_smoothing = 0.1,
            .average = 0.8,
            .clip_norm = 2,
            .seed = 5,
            .callbacks = {train::EarlyStopping({.patience = 3}), train::Checkpoint(prefix)},
            .drop_last = false,
            .precision = precision,
            .loss_scale = {.start = 1 << 24, .interval = 4}};
  }

  /// Trains until `steps` steps are done (0: to the end), from a net with other start values for each call.
  train::History run(bool resume, int64_t steps = 0) {
    net = small_net(resume ? 99 : 1);
    std::stop_source stop;
    train::FitOptions o = options();
    o.resume = resume;
    o.record = record;
    o.stop = stop.get_token();
    o.progress = [&](const train::Progress& p) {
      if (!p.finished && steps > 0 && --steps == 0) stop.request_stop();
    };
    return train::fit(net, data, o);
  }

  std::filesystem::path prefix;
  data::Dataset data = blobs(90, 1);
  nn::Sequential net;
  bool record = true;
  Precision precision = Precision::float32;
};

}  // namespace uncial::test
