#pragma once
/// @file history.h
/// What a training run did, epoch by epoch.

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace uncial::train {

/// One epoch. Validation figures are NaN when there is no validation set.
struct EpochRecord {
  int64_t epoch = 0;  ///< 1 for the first
  double loss = 0, accuracy = 0;
  double validation_loss = std::nan(""), validation_accuracy = std::nan("");
  double lr = 0;       ///< of the epoch's last step
  double seconds = 0;  ///< training and validation
  double samples_per_second = 0;
};

/// All epochs of a run, also those before it was resumed.
struct History {
  std::vector<EpochRecord> epochs;
  int64_t best_epoch = 0;   ///< highest validation accuracy (lowest loss among equals); 0 before the first
  std::string stop_reason;  ///< "all epochs done", "early stopping: ...", "stopped by request"

  /// Header line and one line an epoch, numbers in the shortest form that reads back exactly.
  std::string csv() const;
  std::string json() const;
};

}  // namespace uncial::train
