#include "train/run.h"

#include <cmath>

#include "uncial/core/finite.h"
#include "uncial/core/log.h"

namespace uncial::train {
namespace {

/// Between copies of the last good state: at most so many steps are gone through again to find where NaN came
/// from.
constexpr int64_t kStepsBetweenCopies = 64;

/// Higher validation accuracy, or lower loss among equals. NaN is never better.
bool better(const EpochRecord& a, const EpochRecord& b) {
  if (a.validation_accuracy != b.validation_accuracy) return a.validation_accuracy > b.validation_accuracy;
  return a.validation_loss < b.validation_loss;
}

}  // namespace

Run::Run(nn::Module& net, const data::Dataset& train, const FitOptions& options)
    : net_(net),
      train_(train),
      options_(options),
      batches_(options.drop_last ? train.size() / options.batch : ceil_div(train.size(), options.batch)),
      trainer_(net, options),
      finite_(net) {
  if (options.validation) validation_.emplace(net, options.precision);
  if (can_feed()) feed_ = std::make_unique<Feed>(train, net.device(), options.augment);
  if (feed_ && options.validation)
    validation_feed_ = std::make_unique<Feed>(*options.validation, net.device());
  for (const CallbackPtr& c : options.callbacks) keeps_state_ = keeps_state_ || c->keeps_state();
  describe();
  if (options.schedule) schedule_start_ = options.schedule->state();
}

void Run::describe() {
  if (keeps_state_) texts_ = describe_run(net_, train_, options_);  // reads all data once: 0.3 s for MNIST
}

void Run::restart() {
  trainer_.restart(options_.seed);
  if (options_.schedule) options_.schedule->load_state(schedule_start_);
  describe();
  position_ = {};
  sums_ = {};
  history_ = {};
  next_order_.clear();
}

History Run::go() {
  for (const CallbackPtr& c : options_.callbacks) c->on_start(net_);
  if (options_.resume) resume();
  try {
    while (history_.stop_reason.empty() && position_.epoch <= options_.epochs) {
      if (!train_epoch()) return stop();
      finish_epoch();
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::diverged) throw;
    history_.stop_reason = join("diverged: ", e.what());
    end();
    throw;
  }
  complete();
  return history_;
}

bool Run::train_epoch() {
  if (feed_) return train_fed_epoch();
  epoch_start_ = Clock::now();
  data::Loader loader = batches(position_);
  data::Batch batch;
  for (int64_t steps = 0; position_.batch < batches_; ++steps) {
    if (options_.stop.stop_requested()) return false;
    if (steps % kStepsBetweenCopies == 0) keep_good();
    ensure(loader.next(batch), "the loader ended at batch ", position_.batch, " of ", batches_);
    take_step(batch);
  }
  require_finite_weights();
  return true;
}

void Run::take_step(const data::Batch& batch) {
  const Trainer::Result result = trainer_.step(batch, position_.epoch, rate(position_.step));
  if (!std::isfinite(result.loss))
    report_divergence(trainer_, *good_, replay(),
                      std::isnan(result.loss) ? "loss became NaN" : "loss became infinite", position_);
  const int64_t samples = batch.labels.size();
  sums_.samples += samples;
  sums_.correct += result.correct;
  sums_.loss += result.loss * double(samples);
  ++position_.step;
  ++position_.batch;
  report(nullptr);
}

void Run::finish_epoch() {
  EpochRecord record = figures();
  {
    const Trainer::Averaged averaged(trainer_);
    validate(record);
    record.seconds = seconds();
    add_to_history(record);
    for (const CallbackPtr& c : options_.callbacks) {
      const std::string reason = c->on_epoch(view());
      if (history_.stop_reason.empty()) history_.stop_reason = reason;
    }
  }
  if (options_.schedule) options_.schedule->on_validation(validation_ ? record.validation_loss : record.loss);
  ++position_.epoch;
  position_.batch = 0;
  sums_ = {};
  save();
  report(&record);
}

void Run::validate(EpochRecord& record) {
  if (!validation_) return;
  const Tensor logits = validation_feed_ ? validation_->logits(*validation_feed_, kEvaluationBatch)
                                         : validation_->logits(*options_.validation, kEvaluationBatch);
  const Score s = score(logits, labels_of(*options_.validation));
  record.validation_loss = s.loss;
  record.validation_accuracy = double(s.hits) / double(options_.validation->size());
}

void Run::add_to_history(const EpochRecord& record) {
  history_.epochs.push_back(record);
  if (!validation_) return;
  const int64_t best = history_.best_epoch;
  if (best == 0 || better(record, history_.epochs[size_t(best - 1)])) history_.best_epoch = record.epoch;
}

History Run::stop() {
  sums_.seconds = seconds();
  require_finite_weights();
  save();
  history_.stop_reason = "stopped by request";
  end();
  return history_;
}

void Run::complete() {
  if (history_.stop_reason.empty()) history_.stop_reason = "all epochs done";
  {
    const Trainer::Averaged averaged(trainer_);
    for (const CallbackPtr& c : options_.callbacks) c->on_complete(view());
  }
  end();
}

void Run::end() {
  if (const int64_t skipped = trainer_.skipped(); skipped > 0)
    log(LogLevel::info, join("fit: ", skipped, " steps changed nothing: their float16 gradients overflowed"));
  Trainer::Averaged(trainer_).keep();
  for (const CallbackPtr& c : options_.callbacks) c->on_end(net_, history_);
}

double Run::rate(int64_t step) const {
  const double base = options_.optimizer.lr();
  return options_.schedule ? options_.schedule->rate(base, step, options_.epochs * batches_) : base;
}

data::Loader Run::batches(const Position& from) const {
  data::BatchTransform transform;
  if (options_.augment)
    transform = [augment = options_.augment](const Tensor& images, const std::vector<int64_t>& indices,
                                             uint64_t seed, int64_t epoch) {
      augment->apply(images, indices, {.seed = seed, .epoch = epoch});
    };
  return data::Loader(train_, {.batch = options_.batch,
                               .shuffle = true,
                               .drop_last = options_.drop_last,
                               .seed = options_.seed,
                               .epoch = from.epoch,
                               .transform = std::move(transform),
                               .first_batch = from.batch});
}

Replay Run::replay() const {
  return {.batches = [this](const Position& from) { return batches(from); },
          .lr = [this](int64_t step) { return rate(step); }};
}

void Run::keep_good() {
  require_finite_weights();
  if (!good_) good_.emplace();
  good_->keep(trainer_, position_);
}

void Run::require_finite_weights() {
  if (finite_.passes()) return;
  for (const auto& [path, tensor] : net_.state_dict()) {
    if (all_finite(tensor)) continue;
    require(good_.has_value() && position_.step > 0, "fit: ", path, " ", tensor.shape(),
            " is not finite before the first step.");
    report_divergence(trainer_, *good_, replay(), join(path, " stopped being finite"),
                      {.epoch = position_.epoch, .batch = position_.batch - 1, .step = position_.step - 1});
  }
}

double Run::seconds() const {
  return sums_.seconds + std::chrono::duration<double>(Clock::now() - epoch_start_).count();
}

/// Figures of the epoch so far, without validation.
EpochRecord Run::figures() const {
  const double samples = double(sums_.samples), elapsed = seconds();
  return {.epoch = position_.epoch,
          .loss = sums_.loss / samples,
          .accuracy = double(sums_.correct) / samples,
          .lr = rate(position_.step - 1),
          .seconds = elapsed,
          .samples_per_second = samples / elapsed};
}

void Run::report(const EpochRecord* finished) const {
  if (!options_.progress) return;
  const EpochRecord now = finished ? *finished : figures();
  options_.progress({.epoch = now.epoch,
                     .epochs = options_.epochs,
                     .batch = finished ? batches_ : position_.batch,
                     .batches = batches_,
                     .loss = now.loss,
                     .accuracy = now.accuracy,
                     .lr = now.lr,
                     .samples_per_second = now.samples_per_second,
                     .finished = finished});
}

}  // namespace uncial::train
