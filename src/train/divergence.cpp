#include "train/divergence.h"

#include <algorithm>
#include <cmath>

#include "uncial/autograd/grad_mode.h"
#include "uncial/core/finite.h"
#include "uncial/ops/ops.h"

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
  else if (copies_[0].second.device().is_cpu())
    for (size_t i = 0; i < now.size(); ++i) copies_[i].second.copy_(now[i].second.detach());
  else {
    if (!again_)
      again_.emplace(compile([now, this](const Tensors&) {
        for (size_t i = 0; i < now.size(); ++i) copies_[i].second.copy_(now[i].second.detach());
        return Tensors{};
      }));
    (*again_)({});
  }
}

FiniteCheck::FiniteCheck(const nn::Module& net) : net_(net) {
  if (net.device().is_cpu()) return;
  sum_.emplace(compile([&net](const Tensors&) {
    const NoGrad no_grad;
    Tensor total = zeros({}, DType::float64, net.device());
    // 0 times what is not finite is NaN.
    for (const auto& [path, tensor] : net.state_dict())
      if (is_floating(tensor.dtype())) total = total + sum(tensor.detach() * 0.0).to(DType::float64);
    return Tensors{total};
  }));
}

bool FiniteCheck::passes() {
  if (sum_) return std::isfinite((*sum_)({})[0].item());
  const nn::NamedTensors all = net_.state_dict();
  return std::all_of(all.begin(), all.end(), [](const auto& entry) { return all_finite(entry.second); });
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
