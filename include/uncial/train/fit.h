#pragma once
/// @file fit.h
/// The training loop.

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "uncial/core/precision.h"
#include "uncial/data/dataset.h"
#include "uncial/nn/module.h"
#include "uncial/optim/loss_scale.h"
#include "uncial/optim/optimizer.h"
#include "uncial/optim/schedule.h"
#include "uncial/train/callback.h"
#include "uncial/train/history.h"
#include "uncial/vision/augment.h"

namespace uncial::train {

/// How far a run is; handed to the progress observer after every step (on a GPU: when it is under way,
/// several in a row), and once more after each epoch's validation.
struct Progress {
  int64_t epoch = 0, epochs = 0;  ///< epoch counts from 1
  int64_t batch = 0, batches = 0;
  /// Running means of this epoch. A GPU is asked for them once a second and at the end of the epoch: NaN
  /// before, and those of the last time between.
  double loss = 0, accuracy = 0;
  double lr = 0;
  double samples_per_second = 0;
  const EpochRecord* finished = nullptr;  ///< set in the call after validation
};

/// Options of fit().
struct FitOptions {
  std::optional<data::Dataset> validation = std::nullopt;
  int64_t epochs = 20;
  int64_t batch = 128;
  vision::Augment augment = nullptr;
  optim::Recipe optimizer = optim::Adam();
  optim::SchedulePtr schedule =
      nullptr;  ///< null: constant; told of the training loss if there is no validation
  double label_smoothing = 0;
  double average =
      0;  ///< decay of averaged weights (EMA) a step; 0: none; running statistics are not averaged
  double clip_norm = 0;  ///< 0: none
  uint64_t seed = 0;     ///< of shuffling, dropout and augmentation; the net's start values are its own
  std::vector<CallbackPtr> callbacks = {};
  std::function<void(const Progress&)> progress = {};
  std::stop_token stop = {};  ///< finishes the step (on a GPU: at most 64 steps, or the validation), lets
                              ///< callbacks save, returns
  bool resume = false;        ///< continue from the Checkpoint callback's file when there is one
  bool record = true;         ///< replay a recorded step (see compile()); false: eager tape
  bool drop_last = true;      ///< leave out a last batch that is smaller
  Precision precision = Precision::float32;  ///< of training and validation; weights stay float32
  optim::LossScaleOptions loss_scale = {};   ///< in float16
};

/// Trains `net` with cross-entropy on its outputs (logits, one a class) in place and returns its history. On
/// return the net holds its last weights, the averaged ones if averaging is on, unless a callback
/// (EarlyStopping) restored its best. Whether the net itself is in train or eval mode does not matter, and
/// does not change.
///
/// A net on a GPU is trained there: move it before. The data set is copied there once if it fits and
/// `augment` is replayable(), and batches are made there; dropout, order and augmentation are the same as on
/// the host.
///
/// In float16 the loss is scaled (optim::LossScale): a step whose gradients overflow changes no weight, and
/// the log says at the end how many there were.
///
/// A resumed run gives the bits of the uninterrupted one, also from inside an epoch, but for times in the
/// history. With a constant rate it may have more epochs than before; all else must agree, or Error(data)
/// lists what does not.
///
/// Throws Error(diverged) when the loss or a weight stops being finite, naming the step and the first bad
/// tensor; checkpoints keep their last good state, and so does the net (at most 64 steps before; on a GPU an
/// epoch), unless a callback restored its best. Throws a usage Error before the first step for options out of
/// range, or a net that does not fit the data.
History fit(nn::Module& net, const data::Dataset& train, const FitOptions& options);

/// fit() of one net that is trained several times, say from several seeds. What the first run sets up serves
/// the others: the data set on a GPU, recorded steps and their graphs.
///
///     train::Training training(net, data, options);
///     for (uint64_t seed = 1; seed <= 5; ++seed) {
///       net.initialize({.seed = seed});
///       training.restart(seed);
///       training.run();
///     }
///
/// The net must outlive it, and keep its parameters: initialize() and load_state_dict() do, to() does not.
class Training {
 public:
  /// Throws what fit() throws before its first step.
  Training(nn::Module& net, data::Dataset train, FitOptions options);
  ~Training();
  Training(Training&&) noexcept;
  Training& operator=(Training&&) noexcept;

  /// Forgets the last run: run() begins with the weights that the net has then, and gives the bits of fit()
  /// with `seed` in the place of options.seed. Call it after giving the net new weights.
  void restart(uint64_t seed);
  /// What fit() does. Throws a usage Error after a run without a restart().
  History run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uncial::train
