#pragma once
/// @file graph_replay.h
/// Replays on a GPU: all stages as one launch. Internal.

#include <span>

#include "core/captured.h"
#include "uncial/core/tensor.h"

namespace uncial::program {

class Program;
struct Schedule;

/// A graph holds addresses. One is made for inputs where they lay at the second replay; inputs from elsewhere
/// are copied into memory of its own, which a second graph reads.
class GraphReplay {
 public:
  /// `schedule` must outlive it.
  GraphReplay(const Program& program, Schedule& schedule);
  /// The stages, so many times, with `inputs` bound already.
  void run(std::span<const Tensor> inputs, int64_t times);

 private:
  void run_stages();
  bool changes(std::span<const Tensor> inputs) const;

  Schedule& schedule_;
  std::vector<const void*> places_;  ///< of the inputs
  Tensors copies_;
  uncial::cuda::Captured in_place_, copied_;
};

}  // namespace uncial::program
