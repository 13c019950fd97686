#pragma once
// Finding out where NaN came from.

#include <functional>

#include "train/state.h"
#include "train/trainer.h"

namespace uncial::train {

/// What it takes to go through some steps again.
struct Replay {
  std::function<data::Loader(const Position& from)> batches;  ///< of the epoch of `from`
  std::function<double(int64_t step)> lr;
};

/// A copy of a trainer's state that is known to be good, renewed every few steps.
class LastGood {
 public:
  /// Copies the trainer's state. Cost: one pass over weights and optimiser state.
  void keep(const Trainer& trainer, const Position& position);
  void restore(Trainer& trainer) const { trainer.load_state(copies_); }
  const Position& position() const { return position_; }

 private:
  nn::NamedTensors copies_;
  std::optional<Compiled> again_;  ///< on a GPU: one launch for all tensors
  Position position_;
};

/// Whether all parameters and buffers of a net are finite. On a GPU that is asked once, not tensor by tensor;
/// the net must outlive it, and stay there.
class FiniteCheck {
 public:
  explicit FiniteCheck(const nn::Module& net);
  bool passes();

 private:
  const nn::Module& net_;
  std::optional<Compiled> sum_;
};

/// Goes through the steps since `good` again, on the eager tape, until a tensor is not finite, and throws
/// Error(diverged) naming it; `symptom` is what was noticed ("loss became NaN"), at step `last`. The trainer
/// is back at `good` then.
[[noreturn]] void report_divergence(Trainer& trainer, const LastGood& good, const Replay& replay,
                                    const std::string& symptom, const Position& last);

}  // namespace uncial::train
