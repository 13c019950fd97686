#pragma once
/// @file dense_stages.h
/// Products of dense layers as stages of a program. Internal.

#include <map>
#include <memory>
#include <vector>

#include "program/graph.h"
#include "program/stage.h"

namespace uncial::program::cuda {

/// Stages for products of rounded factors among the steps that are not `taken`, several in one launch where
/// their order allows; their steps are taken then. By the step before which each runs; behind the last: at the
/// end.
std::map<int, std::unique_ptr<Stage>> dense_stages(const Graph& graph, std::vector<bool>& taken);

}  // namespace uncial::program::cuda
