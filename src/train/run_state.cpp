#include "train/run.h"
#include "uncial/core/isa.h"
#include "uncial/core/log.h"

namespace uncial::train {
namespace {

constexpr const char *kReason = "run.stop_reason", *kIsa = "isa", *kSchedule = "schedule";

std::string callback_prefix(size_t i) { return join("callback.", i, "."); }

std::string text_of(const RunState& state, const char* key) {
  const auto place = state.texts.find(key);
  return place == state.texts.end() ? std::string() : place->second;
}

}  // namespace

void Run::resume() {
  for (const CallbackPtr& callback : options_.callbacks) {
    const std::optional<RunState> state = callback->saved();
    if (!state) continue;
    require_same_run(state->texts, texts_);
    load(*state);
    return;
  }
  log(LogLevel::info, "fit: no checkpoint to resume from, starts anew");
}

void Run::save() const {
  if (!keeps_state_) return;
  const RunState now = state();
  for (const CallbackPtr& c : options_.callbacks)
    if (c->keeps_state()) c->on_save(now);
}

RunState Run::state() const {
  RunState all{.tensors = trainer_.state(), .texts = texts_};
  append(all.tensors, progress_tensors(position_, sums_, history_));
  all.texts[kReason] = history_.stop_reason;
  all.texts[kIsa] = isa();
  if (options_.schedule) {
    const std::vector<double> learned = options_.schedule->state();
    all.tensors.emplace_back(kSchedule, from_values<double>(learned, {int64_t(learned.size())}));
  }
  for (size_t i = 0; i < options_.callbacks.size(); ++i)
    append(all.tensors, with_prefix(callback_prefix(i), options_.callbacks[i]->state()));
  return all;
}

void Run::load(const RunState& state) {
  load_progress(state.tensors, position_, sums_, history_);
  if (position_.epoch < 1 || position_.batch < 0 || position_.batch > batches_ ||
      history_.best_epoch > int64_t(history_.epochs.size()))
    fail(ErrorKind::data, "checkpoint: position: got epoch ", position_.epoch, ", batch ", position_.batch,
         ", expected batch 0 to ", batches_, ". The file was tampered with.");
  trainer_.load_state(state.tensors);
  if (options_.schedule) {
    const auto learned = named(state.tensors, kSchedule, DType::float64, {-1}).span<double>();
    options_.schedule->load_state({learned.begin(), learned.end()});
  }
  for (size_t i = 0; i < options_.callbacks.size(); ++i)
    options_.callbacks[i]->load_state(under_prefix(callback_prefix(i), state.tensors));
  history_.stop_reason = text_of(state, kReason);
  log(LogLevel::info, join("fit: resumes at epoch ", position_.epoch, ", batch ", position_.batch));
  if (const std::string before = text_of(state, kIsa); before != isa())
    log(LogLevel::warning, join("fit: the checkpoint was made with ", before, " kernels, this run uses ",
                                isa(), ": results will differ in the last bits from an uninterrupted run"));
}

}  // namespace uncial::train
