#pragma once
// What a run is made of beside its weights, and all of it as a RunState.

#include <array>

#include "uncial/core/sha256.h"
#include "uncial/train/fit.h"

namespace uncial::train {

/// `tensors` with `prefix` before every name.
nn::NamedTensors with_prefix(const std::string& prefix, const nn::NamedTensors& tensors);
/// Those of `tensors` whose name begins with `prefix`, without it.
nn::NamedTensors under_prefix(const std::string& prefix, const nn::NamedTensors& tensors);
void append(nn::NamedTensors& all, const nn::NamedTensors& more);
/// The tensor called `name`, of this dtype and shape (a negative extent: any). Throws Error(data).
const Tensor& named(const nn::NamedTensors& tensors, const std::string& name, DType dtype,
                    const Shape& shape);

/// Where a run is: the next step is batch `batch` (from 0) of epoch `epoch` (from 1), after `step` steps.
struct Position {
  int64_t epoch = 1, batch = 0, step = 0;
};

/// Sums over the steps of the epoch so far.
struct EpochSums {
  int64_t samples = 0, correct = 0;
  double loss = 0;     ///< of samples
  double seconds = 0;  ///< before the run was interrupted
};

/// Position, sums and history as tensors: exact, and covered by the checkpoint's digest.
nn::NamedTensors progress_tensors(const Position& position, const EpochSums& sums, const History& history);
/// Their inverse but for History::stop_reason, which is text. Throws Error(data).
void load_progress(const nn::NamedTensors& tensors, Position& position, EpochSums& sums, History& history);

/// What must agree between a run and the one that resumes it, as texts "option.NAME".
std::map<std::string, std::string> describe_run(const nn::Module& net, const data::Dataset& train,
                                                const FitOptions& options);
/// Throws Error(data) listing every option that differs.
void require_same_run(const std::map<std::string, std::string>& saved,
                      const std::map<std::string, std::string>& now);

/// Lower-case hex SHA-256 over all texts, names, dtypes, shapes and bytes.
std::string digest(const RunState& state);

}  // namespace uncial::train
