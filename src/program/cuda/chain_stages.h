#pragma once
/// @file chain_stages.h
/// Chains of convolutions as stages of a program. Internal.

#include <deque>
#include <memory>

#include "chain_plan.h"
#include "find_chains.h"
#include "program/stage.h"
#include "uncial/core/storage.h"

namespace uncial::program::cuda {

/// A chain made ready: its geometry, and its own memory in the arena.
struct PlannedChain {
  FoundChain found;
  ForwardChain forward;
  BackwardChain backward;  ///< when found.dy >= 0
  /// By link. Weights packed forwards and backwards; what the gradient needs of what came out; partial sums.
  struct Memory {
    Block packed = Block::unused(0), packed_transposed = Block::unused(0), kept = Block::unused(0),
          codes = Block::unused(0), partial = Block::unused(0);
  };
  std::deque<Memory> memory;
  /// By link, outside the arena: packed weights that stay from one replay to the next. Empty where the program
  /// changes its weights, or makes them.
  std::vector<std::shared_ptr<Storage>> kept_weights;
  bool trains() const { return found.dy >= 0; }
};

/// Nothing when the chain does not fit into the GPU's shared memory.
std::shared_ptr<PlannedChain> plan_chain(const Graph& graph, const FoundChain& found,
                                         const GpuLimits& limits);

/// Packs kept_weights when the weights have changed; nothing for a chain without.
std::unique_ptr<Stage> weights_stage(const Graph& graph, std::shared_ptr<PlannedChain> chain);
std::unique_ptr<Stage> forward_stage(const Graph& graph, std::shared_ptr<PlannedChain> chain);
std::unique_ptr<Stage> backward_stage(const Graph& graph, std::shared_ptr<PlannedChain> chain);

}  // namespace uncial::program::cuda
