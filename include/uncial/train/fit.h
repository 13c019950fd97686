#pragma once
/// @file fit.h
/// The training loop.

#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "uncial/data/dataset.h"
#include "uncial/nn/module.h"
#include "uncial/optim/optimizer.h"
#include "uncial/optim/schedule.h"
#include "uncial/train/callback.h"
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
