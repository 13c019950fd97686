#pragma once
/// @file kept_step.h
/// Rounded weights that stay from call to call: inference reads them again and again, and what is prepared of
/// them (prepared.h) stays as well then. Internal.

#include <memory>
#include <vector>

#include "graph.h"
#include "stage.h"

namespace uncial::program {

/// Gives memory of their own, as if they came from outside, to results of roundings whose operand the program
/// itself never changes.
void keep_rounded_weights(const Graph& graph, std::vector<Buffer>& buffers);

/// Whether a step's result is such a one.
bool is_kept(const Graph& graph, int step);

/// A step as it was recorded; a kept one runs only when its operand has changed.
std::unique_ptr<Stage> step_stage(const Graph& graph, int step);

}  // namespace uncial::program
