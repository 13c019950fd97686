#pragma once
/// @file head_stage.h
/// The end of a network in training as one stage: the last dense layer, cross-entropy and their gradients
/// (kernels/cuda/loss_head.h). Internal.

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "program/graph.h"
#include "program/stage.h"

namespace uncial::program::cuda {

/// Values (-1: none) and steps of one.
struct FoundHead {
  int z = -1, w = -1, bias = -1, labels = -1, dloss = -1;
  bool relu = false, round_bias = false;
  Precision precision = Precision::float32;
  int dropout = -1;  ///< step, forwards
  int loss = -1, logits = -1, dz = -1, dw = -1, dbias = -1;
  double smoothing = 0;
  std::set<int> steps;
};

/// The end that belongs to a cross_entropy step, without steps that are `taken` already.
std::optional<FoundHead> find_head(const Graph& graph, int cross_entropy, const std::vector<bool>& taken);

/// Scratch is the caller's to place, for the time of the stage.
std::unique_ptr<Stage> head_stage(const Graph& graph, const FoundHead& found);

}  // namespace uncial::program::cuda
