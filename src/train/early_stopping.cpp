#include <algorithm>

#include "train/number_text.h"
#include "train/state.h"
#include "uncial/train/callback.h"

namespace uncial::train {
namespace {

class EarlyStopper final : public Callback {
 public:
  explicit EarlyStopper(const EarlyStoppingOptions& options) : options_(options) {}

  /// One callback may serve several runs, one after the other.
  void on_start(const nn::Module&) override {
    reference_ = {};
    best_weights_.clear();
  }

  std::string on_epoch(const EpochView& view) override {
    const EpochRecord& now = view.history.epochs.back();
    if (options_.restore_best && view.history.best_epoch == now.epoch) keep(view.weights);
    if (counts(now)) {
      reference_ = {.epoch = now.epoch, .accuracy = now.validation_accuracy, .loss = now.validation_loss};
      return {};
    }
    if (now.epoch - reference_.epoch < options_.patience) return {};
    return join("early stopping: no better validation accuracy for ", options_.patience, " epochs (best ",
                fixed_decimals(100 * reference_.accuracy, 2), " % in epoch ", reference_.epoch, ")");
  }

  void on_end(nn::Module& net, const History&) override {
    if (!best_weights_.empty()) net.load_state_dict(best_weights_);
  }

  bool needs_validation() const override { return true; }
  std::string name() const override { return "early stopping"; }

  nn::NamedTensors state() const override {
    nn::NamedTensors all = with_prefix("best.", best_weights_);
    all.emplace_back("epoch", tensor<int64_t>({reference_.epoch}));
    all.emplace_back("reference", tensor<double>({reference_.accuracy, reference_.loss}));
    return all;
  }

  void load_state(const nn::NamedTensors& state) override {
    const auto figures = named(state, "reference", DType::float64, {2}).span<double>();
    reference_ = {.epoch = named(state, "epoch", DType::int64, {1}).item<int64_t>(),
                  .accuracy = figures[0],
                  .loss = figures[1]};
    best_weights_.clear();
    keep(under_prefix("best.", state));
  }

 private:
  /// The epoch whose figures the next ones must beat.
  struct Reference {
    int64_t epoch = 0;
    double accuracy = 0, loss = 0;
  };

  bool counts(const EpochRecord& now) const {
    if (reference_.epoch == 0) return true;
    const double gain = now.validation_accuracy - reference_.accuracy;
    if (gain != 0) return gain > 0 && gain >= options_.min_delta;
    return options_.min_delta == 0 && now.validation_loss < reference_.loss;
  }

  void keep(const nn::NamedTensors& weights) {
    if (best_weights_.empty())
      for (const auto& [path, tensor] : weights) best_weights_.emplace_back(path, tensor.detach().clone());
    else
      for (size_t i = 0; i < weights.size(); ++i)
        // A resumed run's lie on the host at first.
        best_weights_[i].second.copy_(weights[i].second.detach().to(best_weights_[i].second.device()));
  }

  EarlyStoppingOptions options_;
  Reference reference_;
  nn::NamedTensors best_weights_;
};

}  // namespace

CallbackPtr EarlyStopping(const EarlyStoppingOptions& options) {
  require(options.patience >= 1, "EarlyStopping: patience must be >= 1, got ", options.patience, ".");
  require(options.min_delta >= 0, "EarlyStopping: min_delta must be >= 0, got ", options.min_delta, ".");
  return std::make_shared<EarlyStopper>(options);
}

}  // namespace uncial::train
