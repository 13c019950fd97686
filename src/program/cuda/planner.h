#pragma once
/// @file planner.h
/// Turns recorded steps into stages for a GPU. Internal.

#include <deque>
#include <memory>
#include <vector>

#include "program/graph.h"
#include "program/stage.h"

namespace uncial::program::cuda {

/// Stages, and memory that several of them share in the arena.
struct GpuPlan {
  std::vector<std::unique_ptr<Stage>> stages;
  std::vector<Block*> blocks;  ///< kept alive by the stages
};

/// Chains of bfloat16 convolutions run in shared memory, products of rounded factors on tensor cores; all
/// else as recorded.
GpuPlan plan_for_gpu(const Graph& graph);

}  // namespace uncial::program::cuda
