#include "uncial/train/fit.h"

#include <cmath>

#include "train/inference.h"
#include "train/run.h"

namespace uncial::train {
namespace {

void check_numbers(const FitOptions& o) {
  require(o.epochs >= 1, "fit: epochs must be >= 1, got ", o.epochs, ".");
  require(o.batch >= 1, "fit: batch must be >= 1, got ", o.batch, ".");
  require(o.label_smoothing >= 0 && o.label_smoothing < 1, "fit: label_smoothing must be in [0, 1), got ",
          o.label_smoothing, ".");
  require(o.average >= 0 && o.average < 1, "fit: average must be in [0, 1), got ", o.average, ".");
  require(o.clip_norm >= 0 && std::isfinite(o.clip_norm), "fit: clip_norm must be >= 0, got ", o.clip_norm,
          ".");
  require(o.optimizer.lr() >= 0 && std::isfinite(o.optimizer.lr()),
          "fit: the learning rate must be >= 0, got ", o.optimizer.lr(), ".");
}

void check_callbacks(const FitOptions& o) {
  bool state_kept = false;
  for (const CallbackPtr& callback : o.callbacks) {
    require(callback != nullptr, "fit: a callback is null.");
    require(!callback->needs_validation() || o.validation, "fit: ", callback->name(),
            " needs a validation set: pass .validation, e.g. from train.split().");
    state_kept = state_kept || callback->keeps_state();
  }
  require(!o.resume || state_kept,
          "fit: resume needs a callback that keeps the state: add Checkpoint(prefix).");
}

void check_data(const nn::Module& net, const data::Dataset& train, const FitOptions& o) {
  require(!net.parameters().empty(), "fit: the net has nothing to learn: no parameters.");
  require_net_fits("fit", net, train);
  require(!o.drop_last || train.size() >= o.batch, "fit: batch ", o.batch, " is larger than the ",
          train.size(),
          " samples, so that drop_last leaves none; take a smaller batch, or drop_last = false.");
  if (!o.validation) return;
  require(o.validation->classes().size() == train.classes().size(), "fit: validation has ",
          o.validation->classes().size(), " classes, training ", train.classes().size(), ".");
  require_net_fits("fit: validation", net, *o.validation);
}

void check(const nn::Module& net, const data::Dataset& train, const FitOptions& options) {
  check_numbers(options);
  check_callbacks(options);
  check_data(net, train, options);
}

}  // namespace

History fit(nn::Module& net, const data::Dataset& train, const FitOptions& options) {
  check(net, train, options);
  return Run(net, train, options).go();
}

struct Training::State {
  State(nn::Module& net, data::Dataset data, FitOptions how)
      : train(std::move(data)), options(std::move(how)), run(net, train, options) {}

  data::Dataset train;
  FitOptions options;
  Run run;  // reads the two above
  bool has_run = false;
};

Training::Training(nn::Module& net, data::Dataset train, FitOptions options) {
  check(net, train, options);
  state_ = std::make_unique<State>(net, std::move(train), std::move(options));
}
Training::~Training() = default;
Training::Training(Training&&) noexcept = default;
Training& Training::operator=(Training&&) noexcept = default;

void Training::restart(uint64_t seed) {
  state_->options.seed = seed;
  state_->run.restart();
  state_->has_run = false;
}

History Training::run() {
  require(!state_->has_run, "Training: run() once more without a restart(); call restart(seed) before.");
  state_->has_run = true;
  return state_->run.go();
}

}  // namespace uncial::train
