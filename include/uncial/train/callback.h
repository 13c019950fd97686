#pragma once
/// @file callback.h
/// What may watch a training run, end it, and keep its state.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "uncial/nn/module.h"
#include "uncial/train/history.h"

namespace uncial::train {

/// What a callback sees at the end of an epoch.
struct EpochView {
  const nn::Module& net;
  const History& history;
  /// Those that were validated: the averaged ones if averaging is on. Aliases: clone to keep.
  nn::NamedTensors weights;
};

/// Everything a run needs to go on as if it had never stopped.
struct RunState {
  nn::NamedTensors tensors;                  ///< aliases of the run's tensors: clone to keep
  std::map<std::string, std::string> texts;  ///< among them one "option.NAME" for each thing that must agree
};

/// Something that watches a run and may end it.
class Callback {
 public:
  virtual ~Callback() = default;
  /// Before the first step: the time to find out what will not work.
  virtual void on_start(const nn::Module&) {}
  /// After each epoch; a non-empty answer ends the run and is its reason.
  virtual std::string on_epoch(const EpochView&) { return {}; }
  /// Once, when all epochs are done or a callback ended the run, before anybody's on_end(): `weights` are the
  /// run's final ones. Not after a stop by request or a divergence.
  virtual void on_complete(const EpochView&) {}
  /// Once at the end, whatever the reason, before fit() returns or throws Error(diverged): may put weights
  /// into the net.
  virtual void on_end(nn::Module&, const History&) {}

  /// True when on_epoch() needs validation figures; fit() then insists on a validation set.
  virtual bool needs_validation() const { return false; }
  /// True when on_save() does something; the state is made only then.
  virtual bool keeps_state() const { return false; }
  /// After each epoch, once every on_epoch() has run, and when the run is stopped inside an epoch. The state
  /// is never one with NaN or infinite weights.
  virtual void on_save(const RunState&) {}
  /// The newest state that on_save() kept, perhaps in an earlier process; for FitOptions::resume.
  virtual std::optional<RunState> saved() { return std::nullopt; }

  /// What a resumed run needs from this callback itself.
  virtual std::string name() const = 0;
  virtual nn::NamedTensors state() const { return {}; }
  virtual void load_state(const nn::NamedTensors&) {}
};
using CallbackPtr = std::shared_ptr<Callback>;

/// Options of EarlyStopping.
struct EarlyStoppingOptions {
  int patience = 5;          ///< epochs without improvement that end the run, >= 1
  double min_delta = 0;      ///< smaller gains of validation accuracy do not count, >= 0
  bool restore_best = true;  ///< the net ends with its best weights, whatever ended the run
};
/// Watches validation accuracy (validation loss decides between equals). The weights that it puts back are
/// those of History::best_epoch, also when their gain was below min_delta.
CallbackPtr EarlyStopping(const EarlyStoppingOptions& options = {});

/// Options of Checkpoint.
struct CheckpointOptions {
  bool best =
      true;  ///< PREFIX_best.safetensors: weights of the best validation epoch; needs a validation set
  bool final = true;      ///< PREFIX_final.safetensors: last or averaged weights, once the run is complete
  bool resumable = true;  ///< PREFIX_checkpoint.safetensors: all state, after each epoch and on a stop
};
/// Writes model files `prefix`_{best,final}.safetensors with the network's description in their metadata, and
/// the state for resuming; all atomically. Proves at the start that the folder can be written and nothing but
/// files is in the way: throws Error(io) otherwise.
///
/// The checkpoint carries a SHA-256 over everything in it; the one before it is kept as
/// PREFIX_checkpoint.prev.safetensors, which a resuming run uses, with a warning to the log, when the newest
/// is damaged or missing.
CallbackPtr Checkpoint(const std::filesystem::path& prefix, const CheckpointOptions& options = {});

}  // namespace uncial::train
