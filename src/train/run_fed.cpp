// Training where a GPU makes the batches: between the steps of an epoch the host waits for nothing.
#include <cmath>

#include "train/run.h"

namespace uncial::train {
namespace {

/// Between readings of the figures for progress: each waits until the GPU has done what it was given.
constexpr std::chrono::seconds kBetweenReadings{1};

}  // namespace

bool Run::can_feed() const {
  const Device device = net_.device();
  if (device.is_cpu() || !options_.record || (options_.augment && !options_.augment->replayable()))
    return false;
  return Feed::fits(train_, device) && (!options_.validation || Feed::fits(*options_.validation, device));
}

void Run::start_feed() {
  std::vector<double> rates;
  for (int64_t b = 0; b < batches_; ++b) rates.push_back(rate(position_.step - position_.batch + b));
  std::vector<int64_t> order = std::exchange(next_order_, {});
  if (order.empty()) order = data::shuffled_order(train_.size(), options_.seed, position_.epoch);
  feed_->start({.number = position_.epoch,
                .order = std::move(order),
                .rates = std::move(rates),
                .first_sample = position_.batch * options_.batch,
                .first_step = position_.batch,
                .sums = {.loss = sums_.loss, .correct = sums_.correct}});
  trainer_.begin_epoch(position_.epoch);
}

bool Run::train_fed_epoch() {
  epoch_start_ = figures_read_ = Clock::now();
  if (!good_) require_finite_weights();  // later epochs begin with what ended the one before
  if (!good_) good_.emplace();
  good_->keep(trainer_, position_);
  start_feed();
  while (position_.batch < batches_) {
    if (options_.stop.stop_requested()) {
      read_feed();
      return false;
    }
    trainer_.fed_step(*feed_, std::min(options_.batch, train_.size() - position_.batch * options_.batch));
    ++position_.step;
    ++position_.batch;
    const bool last = position_.batch == batches_;
    if (last && position_.epoch < options_.epochs)
      next_order_ = data::shuffled_order(train_.size(), options_.seed, position_.epoch + 1);
    if (last || (options_.progress && Clock::now() - figures_read_ >= kBetweenReadings)) read_feed();
    report(nullptr);
  }
  require_finite_weights();
  return true;
}

void Run::read_feed() {
  const Feed::Sums now = feed_->sums();
  figures_read_ = Clock::now();
  if (!std::isfinite(now.loss))
    report_divergence(trainer_, *good_, replay(),
                      std::isnan(now.loss) ? "loss became NaN" : "loss became infinite",
                      {.epoch = position_.epoch, .batch = position_.batch - 1, .step = position_.step - 1});
  sums_.samples = std::min(position_.batch * options_.batch, train_.size());
  sums_.correct = now.correct;
  sums_.loss = now.loss;
}

}  // namespace uncial::train
