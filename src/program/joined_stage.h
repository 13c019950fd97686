#pragma once
/// @file joined_stage.h
/// Operators one behind the other that run as one: the updates of all parameters on a GPU. Internal.

#include <memory>
#include <vector>

#include "graph.h"
#include "stage.h"

namespace uncial::program {

/// `stages` with one stage in the place of each row of recorded operators that join (Op::joins) and touch
/// nothing that another of them writes; with two, where much of a row need not wait for the stages before it.
std::vector<std::unique_ptr<Stage>> join_stages(const Graph& graph,
                                                std::vector<std::unique_ptr<Stage>> stages);

}  // namespace uncial::program
