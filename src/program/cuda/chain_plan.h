#pragma once
/// @file chain_plan.h
/// Where everything of a chain of convolutions (kernels/cuda/conv_chain.h) lies in shared memory, and how its
/// products are cut among warps. Internal.

#include <optional>
#include <vector>

#include "conv_chain.h"
#include "runtime.h"

namespace uncial::program::cuda {

using uncial::cuda::BackwardChain;
using uncial::cuda::ConvSpec;
using uncial::cuda::ForwardChain;
using uncial::cuda::GpuLimits;

/// Floats of a layer's partial sums, all slots.
int64_t partial_floats(const uncial::cuda::BackwardLayer& layer, int blocks);

/// Everything but pointers; nothing when a chain does not fit into a block.
std::optional<ForwardChain> plan_forward(const std::vector<ConvSpec>& specs, const GpuLimits& limits);
std::optional<BackwardChain> plan_backward(const std::vector<ConvSpec>& specs, const GpuLimits& limits);

}  // namespace uncial::program::cuda
