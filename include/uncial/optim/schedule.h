#pragma once
/// @file schedule.h
/// Learning rates over a run.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace uncial::optim {

/// The rate of every step. Immutable but for what on_validation() learns.
class Schedule {
 public:
  virtual ~Schedule() = default;
  /// Rate of step `step` (0-based) of `total`, for a base rate `lr`. Steps from `total` on get the last rate.
  virtual double rate(double lr, int64_t step, int64_t total) const = 0;
  /// Told of the validation loss after each epoch (reduce-on-plateau).
  virtual void on_validation(double /*loss*/) {}
  virtual std::string describe() const = 0;
  /// Everything on_validation() learned, for checkpoints.
  virtual std::vector<double> state() const { return {}; }
  /// Throws Error(data) for what state() of another kind of schedule gave.
  virtual void load_state(const std::vector<double>& state);
};

/// Null means constant.
using SchedulePtr = std::shared_ptr<Schedule>;

SchedulePtr constant();
/// lr * factor^(number of milestones passed); milestones are fractions of the run.
SchedulePtr step_decay(std::vector<double> milestones, double factor = 0.1);
/// lr * last^(step / total): ends at lr * last.
SchedulePtr exponential(double last = 0.01);
/// From lr to lr * last along half a cosine. Source: Loshchilov & Hutter, 2017.
SchedulePtr cosine(double last = 0);
/// Options of one_cycle().
struct OneCycleOptions {
  double warm_up = 0.3;      ///< fraction of the run that rises
  double first = 1.0 / 25;   ///< start, as a fraction of the peak rate lr
  double last = 1.0 / 25e4;  ///< end, as a fraction of lr
};
/// Cosine up to lr, then cosine down. Source: Smith & Topin, 2018; PyTorch's defaults and the steps at which
/// it turns (warm_up * total - 1) and ends (total - 1).
SchedulePtr one_cycle(OneCycleOptions options = {});
/// Step i of the first `steps` has (i + 1) / (steps + 1) of the first rate of `then`, which begins after
/// them.
SchedulePtr warm_up(int64_t steps, SchedulePtr then = nullptr);
/// Multiplies the rate by `factor` when the validation loss has not fallen below its lowest for `patience`
/// epochs in a row. Holds what it learned: one run, one schedule.
SchedulePtr reduce_on_plateau(int patience = 3, double factor = 0.1);

}  // namespace uncial::optim
