// Training where a GPU makes the batches: between the steps of an epoch the host waits for nothing.
#include <algorithm>
#include <cmath>

#include "core/captured.h"
#include "train/run.h"

namespace uncial::train {
namespace {

/// Between readings of the figures for progress: each waits until the GPU has done what it was given.
constexpr std::chrono::seconds kBetweenReadings{1};
/// Given to a GPU at once when somebody watches or may ask for a stop. At most twice as many are under way
/// then: enough for a GPU not to wait for the host, and few enough to be over soon.
constexpr int64_t kStepsAhead = 2 * cuda::Captured::kMany;

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
                .seed = options_.seed,
                .order = std::move(order),
                .rates = std::move(rates),
                .first_sample = position_.batch * options_.batch,
                .first_step = position_.batch,
                .sums = {.loss = sums_.loss, .correct = sums_.correct}});
  trainer_.begin_epoch(position_.epoch);
}

bool Run::train_fed_epoch() {
  epoch_start_ = figures_read_ = Clock::now();
  if (!good_ || position_.step == 0)
    require_finite_weights();  // later epochs begin with what ended the one before
  if (!good_) good_.emplace();
  good_->keep(trainer_, position_);
  start_feed();
  std::optional<cuda::Pace> pace;
  if (options_.progress || options_.stop.stop_possible()) pace.emplace(net_.device());
  while (position_.batch < batches_) {
    if (options_.stop.stop_requested()) {
      read_feed();
      return false;
    }
    const int64_t steps = take_fed_steps(pace ? kStepsAhead : batches_);
    if (pace) pace->next();
    count_fed_steps(steps);
  }
  require_finite_weights();
  return true;
}

int64_t Run::take_fed_steps(int64_t most) {
  const int64_t rest = train_.size() - position_.batch * options_.batch;
  const int64_t steps = std::clamp(rest / options_.batch, int64_t(1), most);
  trainer_.fed_steps(*feed_, std::min(options_.batch, rest), steps);
  return steps;
}

void Run::count_fed_steps(int64_t steps) {
  for (; steps > 0; --steps) {
    ++position_.step;
    ++position_.batch;
    const bool last = position_.batch == batches_;
    if (last && position_.epoch < options_.epochs)
      next_order_ = data::shuffled_order(train_.size(), options_.seed, position_.epoch + 1);
    const bool due = steps == 1 && options_.progress && Clock::now() - figures_read_ >= kBetweenReadings;
    if (last || due) read_feed();
    report(nullptr);
  }
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
