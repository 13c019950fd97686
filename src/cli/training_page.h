#pragma once
/// --serve of a program that trains.

#include <cstdint>
#include <string>

#include "cli/page_server.h"
#include "cli/served_training.h"
#include "cli/training.h"

namespace uncial::cli {

/// The page, from before the first step until this object goes.
class TrainingPage {
 public:
  /// Opens the page and says where. `net` has the start values, `data` must outlive this. Throws what
  /// PageServer throws.
  TrainingPage(Program& program, const ServeAddress& address, const Network& network, const nn::Module& net,
               const MnistData& data, const Recipe& recipe, uint64_t seed);
  ~TrainingPage();
  TrainingPage(const TrainingPage&) = delete;
  TrainingPage& operator=(const TrainingPage&) = delete;

  TrainingWatcher& watcher() { return training_; }
  /// One training is complete.
  void show(const TrainedNetwork& trained);
  /// All are.
  void done();
  /// Keeps the page until Ctrl-C.
  void stay();

 private:
  Program& program_;
  const MnistData& data_;
  ServedModel model_;
  ServeHub hub_;
  ServedTraining training_;
  const std::string info_;
  bool done_ = false;
  PageServer server_;  // the first to go
};

}  // namespace uncial::cli
