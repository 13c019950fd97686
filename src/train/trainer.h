#pragma once
// One step of training, recorded or eager, and everything that it changes.

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "train/feed.h"
#include "uncial/data/loader.h"
#include "uncial/nn/module.h"
#include "uncial/optim/optimizer.h"
#include "uncial/program/compile.h"
#include "uncial/train/fit.h"

namespace uncial::train {

/// Owns what a step needs beside the net: optimiser, averaged weights, loss scale, context, recording.
class Trainer {
 public:
  /// `net` must outlive it.
  Trainer(nn::Module& net, const FitOptions& options);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  struct Result {
    double loss = 0;      ///< mean over the batch, before the update
    int64_t correct = 0;  ///< in train mode, before the update
  };
  /// Forward, backward, update. `epoch` keys dropout.
  Result step(const data::Batch& batch, int64_t epoch, double lr);

  /// The same, `steps` times, each with the next `count` samples of `feed`, which gets the results; the host
  /// does not wait. `feed` must be the same at all calls, and begin_epoch() have been called for its epoch.
  void fed_steps(Feed& feed, int64_t count, int64_t steps);
  /// Tells dropout.
  void begin_epoch(int64_t epoch);
  /// As a new Trainer of the net's weights would be, with what was recorded. Keeps the tensors.
  void restart(uint64_t seed);

  /// Told of every tensor of an inspected step by a name such as "activation of 0 (conv2d)".
  using Inspect = std::function<void(const std::string& name, const Tensor& tensor)>;
  /// step() on the eager tape, showing inputs, activations, loss, gradients and new parameters, in this
  /// order.
  Result inspected_step(const data::Batch& batch, int64_t epoch, double lr, const Inspect& inspect);

  /// Steps that loss scaling left out; waits for a GPU.
  int64_t skipped() const { return loss_scale_ ? loss_scale_->skipped() : 0; }

  /// Weights, buffers, optimiser, averages and loss scale by name; aliases.
  nn::NamedTensors state() const;
  /// Copies in what state() gave. Throws Error(data) when it does not fit.
  void load_state(const nn::NamedTensors& state);

  /// While alive, the averaged weights (if any) are in the net and its own are kept aside. Buffers stay as
  /// they are: running statistics are averages already.
  class Averaged {
   public:
    explicit Averaged(Trainer& trainer) : averages_(trainer.averages_.get()) {
      if (averages_) averages_->swap();
    }
    ~Averaged() {
      if (averages_) averages_->swap();
    }
    Averaged(const Averaged&) = delete;
    Averaged& operator=(const Averaged&) = delete;
    /// Leaves them there for good.
    void keep() { averages_ = nullptr; }

   private:
    optim::AveragedWeights* averages_;
  };

 private:
  struct Pass {
    Tensor loss, logits;
  };
  /// Everything in it may be recorded: numbers that change between steps live in tensors.
  Pass learn(const data::Batch& batch);
  /// backward() to update.
  void apply_gradients(const Tensor& loss);
  Tensors run(const Tensors& inputs);
  void inspect_parameters(std::string_view what, bool gradients) const;

  nn::Module& net_;
  double label_smoothing_, clip_norm_;
  std::shared_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<optim::AveragedWeights> averages_;
  std::unique_ptr<optim::LossScale> loss_scale_;  ///< in float16
  nn::Context context_{nn::Mode::train};
  std::optional<Compiled> compiled_;
  std::map<int64_t, Compiled> fed_;  ///< by batch size
  const Inspect* inspect_ = nullptr;
};

}  // namespace uncial::train
