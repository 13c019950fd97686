#pragma once
/// @file context.h
/// Everything a forward pass depends on besides its input, and everything it wants changed afterwards.
/// Because this is not in the modules, forward is const and one net can serve many threads.

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "uncial/core/precision.h"
#include "uncial/core/tensor.h"
#include "uncial/ops/dropout.h"

namespace uncial::nn {

class Module;

enum class Mode { train, eval };

/// Told of every module that ran: its path ("features.3"), itself, what came in and what went out.
using Observer = std::function<void(const std::string& path, const Module& module, const Tensor& input,
                                    const Tensor& output)>;

/// State of one forward pass. Reusable from step to step; not shared between threads.
class Context {
 public:
  Context() = default;
  explicit Context(Mode mode) : mode_(mode) {}

  Mode mode() const { return mode_; }
  bool training() const { return mode_ == Mode::train; }

  /// Makes dropout a pure function of (seed, layer path, epoch, sample index). Without it each call draws
  /// anew.
  void set_seed(uint64_t seed);
  uint64_t seed() const { return seed_; }
  /// Changes the epoch that the keys hold, also in steps that were recorded with this context. Counts as an
  /// in-place change: not between a forward pass and its backward().
  void set_epoch(int64_t epoch);
  int64_t epoch() const { return epoch_; }
  /// Steps taken before this pass, over all epochs: for modules of a user's own that change with it. A number
  /// of the host: a recorded step keeps the one that it was recorded with.
  void set_step(int64_t step) { step_ = step; }
  int64_t step() const { return step_; }
  /// Source indices of the rows of the batch, int64 (N). Without them row i is sample i.
  void set_samples(Tensor samples) { samples_ = std::move(samples); }
  const Tensor& samples() const { return samples_; }
  /// What convolutions and dense layers compute in. Part of the recording, like the mode.
  void set_precision(Precision precision) { precision_ = precision; }
  Precision precision() const { return precision_; }
  /// dropout() of `x` for the module at the current path; `x` itself in evaluation.
  Tensor dropout(const Tensor& x, double p);

  /// Asks for a running statistic to move towards `value` once the pass is over:
  /// buffer = (1 - momentum) * buffer + momentum * value. Several requests for one buffer take effect one
  /// after the other.
  void update(const Tensor& buffer, const Tensor& value, double momentum) {
    updates_.push_back({buffer, value, momentum});
  }
  /// Does what update() asked for, in order, and forgets it.
  void apply_updates();

  void set_observer(Observer observer) { observer_ = std::move(observer); }
  /// Runs a child of a container under the name `name`; containers call this instead of child.forward().
  /// An empty name is the root of a network: the path stays as it is.
  Tensor run(const std::string& name, const Module& child, const Tensor& x);
  /// Where the pass is now: names of the containers' children joined by dots.
  const std::string& path() const { return path_; }

 private:
  /// The key of the module at the current path, for values on `device`.
  const Tensor& key(Device device);

  Mode mode_ = Mode::eval;
  bool seeded_ = false;
  uint64_t seed_ = 0;
  int64_t epoch_ = 0, step_ = 0;
  Precision precision_ = default_precision();
  Tensor samples_;
  std::string path_;
  std::unordered_map<std::string, Tensor> keys_;  // by path: {seed, hash of the path, epoch}
  struct Update {
    Tensor buffer, value;
    double momentum;
  };
  std::vector<Update> updates_;
  Observer observer_;
};

}  // namespace uncial::nn
