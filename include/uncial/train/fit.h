#pragma once
/// @file fit.h
/// The training loop.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "uncial/data/dataset.h"
#include "uncial/nn/module.h"
#include "uncial/optim/optimizer.h"
#include "uncial/optim/schedule.h"
#include "uncial/train/history.h"
#include "uncial/vision/augment.h"

namespace uncial::train {

/// How far a run is; handed to the progress observer after every step.
struct Progress {
  int64_t epoch = 0, epochs = 0;  ///< epoch counts from 1
  int64_t batch = 0, batches = 0;
  double loss = 0, accuracy = 0;  ///< running means of this epoch
  double lr = 0;
  double samples_per_second = 0;
  const EpochRecord* finished = nullptr;  ///< set after the last step of an epoch, validation included
};

/// What a callback sees at the end of an epoch.
struct EpochView {
  const nn::Module& net;
  const History& history;
  nn::NamedTensors
      weights;  ///< that were validated: the averaged ones if averaging is on. Aliases: clone to keep.
};

/// Something that watches a run and may end it.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void on_start(const nn::Module&) {}
  /// After each epoch; a non-empty answer ends the run and is its reason.
  virtual std::string on_epoch(const EpochView&) { return {}; }
  /// Once at the end, whatever the reason, before fit() returns: may put weights into the net.
  virtual void on_end(nn::Module&, const History&) {}
  /// What a resumed run needs.
  virtual std::string name() const = 0;
  virtual nn::NamedTensors state() const { return {}; }
  virtual void load_state(const nn::NamedTensors&) {}
};
using CallbackPtr = std::shared_ptr<Callback>;

/// Options of EarlyStopping.
struct EarlyStoppingOptions {
  int patience = 5;          ///< epochs without improvement that end the run
  double min_delta = 0;      ///< smaller gains of validation accuracy do not count
  bool restore_best = true;  ///< the net ends with its best weights, whatever ended the run
};
/// Watches validation accuracy (validation loss decides between equals).
CallbackPtr EarlyStopping(const EarlyStoppingOptions& options = {});

/// Options of Checkpoint.
struct CheckpointOptions {
  bool best = true;       ///< PREFIX_best.safetensors: weights of the best validation epoch
  bool final = true;      ///< PREFIX_final.safetensors: last or averaged weights, at the end
  bool resumable = true;  ///< PREFIX_checkpoint.safetensors: all state, after each epoch and on a stop
};
/// Writes model files `prefix`_{best,final}.safetensors with the network's description in their metadata, and
/// the state for resuming; all atomically. Proves at the start that the folder can be written.
CallbackPtr Checkpoint(const std::filesystem::path& prefix, const CheckpointOptions& options = {});

/// Options of fit().
struct FitOptions {
  std::optional<data::Dataset> validation = std::nullopt;
  int64_t epochs = 20;
  int64_t batch = 128;
  vision::Augment augment = nullptr;
  optim::Recipe optimizer = optim::Adam();
  optim::SchedulePtr schedule = nullptr;  ///< null: constant
  double label_smoothing = 0;
  double average = 0;    ///< decay of averaged weights (EMA) a step; 0: none
  double clip_norm = 0;  ///< 0: none
  uint64_t seed = 0;     ///< of shuffling, dropout and augmentation; the net's start values are its own
  std::vector<CallbackPtr> callbacks = {};
  std::function<void(const Progress&)> progress = {};
  std::stop_token stop = {};  ///< finishes the step, lets callbacks save, returns
  bool resume = false;        ///< continue from the Checkpoint callback's file when there is one
  bool record = true;         ///< replay a recorded step (see compile()); false: eager tape
  bool drop_last = true;      ///< leave out a last batch that is smaller
};

/// Trains `net` in place and returns its history. On return the net holds its last weights, the averaged ones
/// if averaging is on, unless a callback (EarlyStopping) restored its best.
///
/// Throws Error(diverged) when the loss stops being finite, naming the step and the first bad tensor;
/// checkpoints keep their last good state. Throws a usage Error for options out of range, or a net that does
/// not fit the data.
History fit(nn::Module& net, const data::Dataset& train, const FitOptions& options);

}  // namespace uncial::train
