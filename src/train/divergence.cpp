#include "train/divergence.h"

#include "uncial/core/finite.h"

namespace uncial::train {
namespace {

/// "gradient of 0.weight (NaN) in step 12"; empty when all went well.
std::string find_culprit(Trainer& trainer, const Replay& replay, Position at, int64_t last_step) {
  std::string culprit;
  const auto inspect = [&](const std::string& name, const Tensor& tensor) {
    if (culprit.empty() && !all_finite(tensor))
      culprit = join(name, " ", tensor.shape(), " in step ", at.step + 1);
  };
  data::Loader loader = replay.batches(at);
  data::Batch batch;
  while (culprit.empty() && at.step <= last_step && loader.next(batch)) {
    trainer.inspected_step(batch, at.epoch, replay.lr(at.step), inspect);
    ++at.step;
  }
  return culprit;
}

}  // namespace

void LastGood::keep(const Trainer& trainer, const Position& position) {
  position_ = position;
  const nn::NamedTensors now = trainer.state();
  if (copies_.empty())
    for (const auto& [name, tensor] : now) copies_.emplace_back(name, tensor.detach().clone());
  else
    for (size_t i = 0; i < now.size(); ++i) copies_[i].second.copy_(now[i].second.detach());
}

void report_divergence(Trainer& trainer, const LastGood& good, const Replay& replay,
                       const std::string& symptom, const Position& last) {
  good.restore(trainer);
  const std::string culprit = find_culprit(trainer, replay, good.position(), last.step);
  good.restore(trainer);
  fail(ErrorKind::diverged, "fit: ", symptom, " at step ", last.step + 1, " (epoch ", last.epoch,
       "): first bad tensor: ",
       culprit.empty() ? "none, when the steps ran again one operator at a time" : culprit,
       ", learning rate ", replay.lr(last.step),
       ". Lower the learning rate, limit gradients with clip_norm, or look at the data; checkpoints keep the "
       "last good state.");
}

}  // namespace uncial::train
