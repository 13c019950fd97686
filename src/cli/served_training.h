#pragma once
/// A training as the page shows it while it goes.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "cli/serve_hub.h"
#include "cli/served_model.h"
#include "cli/watcher.h"
#include "uncial/data/dataset.h"
#include "uncial/train/evaluate.h"

namespace uncial::cli {

/// Copies what a page shows out of a training: progress every quarter of a second; weights as often while
/// somebody looks on; after each epoch the answers to the validation set, which a thread of its own works
/// out, also only while somebody looks on. Training itself goes on with the same bits, watched or not.
class ServedTraining final : public TrainingWatcher {
 public:
  /// All three must outlive it.
  ServedTraining(ServedModel& model, ServeHub& hub, const data::Dataset& validation);
  ~ServedTraining() override;
  ServedTraining(const ServedTraining&) = delete;
  ServedTraining& operator=(const ServedTraining&) = delete;

  void on_begin(const std::string& label) override;
  void on_progress(const nn::Module& net, const train::Progress& progress) override;
  void on_epoch(const train::EpochView& view) override;
  /// A training is complete: `net` has its final weights, `report` is of the test set.
  void complete(const nn::Module& net, const train::Report& report, const data::Dataset& test);
  /// All trainings are over; `phase` is "done" or "stopped".
  void end(const std::string& phase);

 private:
  void add_point(const train::Progress& progress);
  void hand_over(const nn::NamedTensors& weights);
  void check_answers();

  ServedModel& model_;
  ServeHub& hub_;
  const data::Dataset& validation_;

  // Of the thread that trains.
  using Clock = std::chrono::steady_clock;
  Clock::time_point published_{};
  nlohmann::ordered_json points_ = nlohmann::ordered_json::array();  ///< [epochs so far, loss, accuracy]
  train::Progress last_point_;
  int64_t copies_ = 0;

  // Between it and the thread that checks answers.
  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<nn::Module> to_check_;  ///< the newest net to check; null: none
  bool complete_ = false;                 ///< what a check under way finds is no news any more
  bool closing_ = false;
  std::thread checker_;
};

}  // namespace uncial::cli
