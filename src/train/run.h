#pragma once
// The state of one fit().

#include <chrono>

#include "train/divergence.h"
#include "train/inference.h"
#include "train/state.h"
#include "train/trainer.h"

namespace uncial::train {

/// One run of fit(), whose arguments were checked and must outlive it.
class Run {
 public:
  Run(nn::Module& net, const data::Dataset& train, const FitOptions& options);
  History go();
  /// Makes go() begin anew with the seed that the options have now.
  void restart();

 private:
  // run.cpp: the loop
  /// Trains to the end of the epoch; false when a stop was asked for before that.
  bool train_epoch();
  void take_step(const data::Batch& batch);
  /// run_fed.cpp: train_epoch() on a GPU.
  bool train_fed_epoch();
  bool can_feed() const;
  void start_feed();
  /// Gives the GPU at most so many steps of equal batches; returns how many.
  int64_t take_fed_steps(int64_t most);
  void count_fed_steps(int64_t steps);
  /// Waits for the device; throws Error(diverged) if the loss is no number.
  void read_feed();
  void finish_epoch();
  void validate(EpochRecord& record);
  void add_to_history(const EpochRecord& record);
  History stop();
  void complete();
  void end();
  double rate(int64_t step) const;
  data::Loader batches(const Position& from) const;
  Replay replay() const;
  void keep_good();
  void describe();
  void require_finite_weights();
  EpochRecord figures() const;
  double seconds() const;
  void report(const EpochRecord* finished) const;
  EpochView view() const { return {.net = net_, .history = history_, .weights = net_.state_dict()}; }

  // run_state.cpp: saving it and going on
  /// Goes on where a callback's saved state ends, if there is one.
  void resume();
  void save() const;
  RunState state() const;
  void load(const RunState& state);

  using Clock = std::chrono::steady_clock;

  nn::Module& net_;
  const data::Dataset& train_;
  const FitOptions& options_;
  const int64_t batches_;  // steps of an epoch
  Trainer trainer_;
  std::optional<Inference> validation_;
  std::unique_ptr<Feed> feed_, validation_feed_;  ///< on a GPU
  std::vector<int64_t> next_order_;               ///< made while the GPU is busy
  bool keeps_state_ = false;
  std::map<std::string, std::string> texts_;  // what a checkpoint says of this run
  std::vector<double> schedule_start_;

  Position position_;
  EpochSums sums_;
  Clock::time_point epoch_start_ = Clock::now(), figures_read_;
  History history_;
  std::optional<LastGood> good_;
  FiniteCheck finite_;
};

}  // namespace uncial::train
