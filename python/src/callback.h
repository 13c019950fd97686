#pragma once
/// Callbacks and progress written in Python, as fit() takes them.

#include <chrono>
#include <optional>
#include <stop_token>
#include <vector>

#include "binding.h"
#include "uncial/train/fit.h"

namespace uncial::python {

/// What a callback sees at the end of an epoch.
struct EpochFigures {
  nb::object net;
  train::History history;  ///< so far
  NamedTensors weights;
  const train::EpochRecord& now() const { return history.epochs.back(); }
};

/// A callback, a function, or a list of them. `net` is what the callbacks are shown.
std::vector<train::CallbackPtr> callbacks_of(nb::handle callbacks, nb::handle net);

/// How far a run is, as Python sees it.
struct ProgressFigures {
  train::Progress now;
  std::optional<train::EpochRecord> finished;
};

/// Looks for Ctrl-C and calls a progress function, at most 20 times a second and after each epoch: on the
/// thread that called fit(), between two steps. What Python raises there stops the run, which saves its
/// state; raise_kept() raises it again afterwards.
class Watcher {
 public:
  /// `progress` may be None.
  explicit Watcher(nb::handle progress) : progress_(nb::borrow(progress)) {}
  void operator()(const train::Progress& progress);
  std::stop_token token() const { return stop_.get_token(); }
  void raise_kept();

 private:
  using Clock = std::chrono::steady_clock;
  nb::object progress_;
  std::stop_source stop_;
  std::optional<nb::python_error> error_;
  Clock::time_point next_ = Clock::now();
};

}  // namespace uncial::python
