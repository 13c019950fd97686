#pragma once
/// @file find_chains.h
/// Recorded steps that run as one chain of convolutions in shared memory (kernels/cuda/conv_chain.h).
/// Internal.

#include <functional>
#include <set>
#include <vector>

#include "conv_chain.h"
#include "program/fuse.h"

namespace uncial::program::cuda {

struct ChainLink {
  int conv = -1;  ///< step
  uncial::cuda::ConvSpec spec = {};
  int weights = -1, bias = -1;                   ///< values; weights before their rounding; bias may be -1
  int weight_gradient = -1, bias_gradient = -1;  ///< values; -1: nobody asks
};

/// Convolutions of rounded factors one behind the other, and all of their gradients.
struct FoundChain {
  std::vector<ChainLink> links;
  int x = -1;                             ///< value, before its rounding
  int y = -1;                             ///< value: what comes out
  Precision precision = Precision::bf16;  ///< of the factors
  bool round_y = false;
  int dropout = -1;                 ///< step behind the last pooling, or -1
  int dy = -1;                      ///< value: the gradient of y without rounding, or -1 without gradients
  std::set<int> forward, backward;  ///< the steps that it stands for
};

/// All of a program that fit; where a long one does not, its beginning may. No step belongs to two.
std::vector<FoundChain> find_chains(const Graph& graph, const std::function<bool(const FoundChain&)>& fits);

}  // namespace uncial::program::cuda
