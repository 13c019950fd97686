#pragma once
/// Who may look on while networks are trained.

#include <string>

#include "uncial/train/callback.h"
#include "uncial/train/fit.h"

namespace uncial::cli {

/// Told of trainings on the thread that trains: it waits meanwhile. Changes nothing.
class TrainingWatcher {
 public:
  virtual ~TrainingWatcher() = default;
  /// A training begins; `label` as in TrainingJob.
  virtual void on_begin(const std::string& label) = 0;
  /// What fit() reports, and the net in training.
  virtual void on_progress(const nn::Module& net, const train::Progress& progress) = 0;
  /// After each epoch's validation, with the weights that were validated.
  virtual void on_epoch(const train::EpochView& view) = 0;
};

}  // namespace uncial::cli
