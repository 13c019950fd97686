#pragma once
/// @file branches.h
/// Which stages of a GPU may run side by side. Internal.

#include <vector>

#include "graph.h"
#include "stage.h"

namespace uncial::program {

/// Two branches of a CUDA graph. Each runs its stages in their order, and waits where it needs what the other
/// made.
struct Branches {
  struct Place {
    int branch = 0;
    int after = -1;        ///< stage of the other branch that has to be done before; -1: none
    bool awaited = false;  ///< by a stage of the other branch
  };
  std::vector<Place> stages;
  int last_aside = -1;  ///< the last stage of branch 1; -1: all are in branch 0

  static Branches in_order(size_t stages) { return {std::vector<Place>(stages), -1}; }
};

/// Stages on the longest way through the step, by what they should take, and small ones are branch 0; what
/// else there is runs beside them. Two stages keep their order when one writes memory that the other touches,
/// whatever it is used for: so buffers that lie in the same place of the arena one after the other are safe.
/// `shared` are blocks of the arena, of which the first and the last stage that use them make use. Buffers
/// and blocks have their places already.
Branches plan_branches(const Graph& graph, const std::vector<std::unique_ptr<Stage>>& stages,
                       const std::vector<Block*>& shared);

}  // namespace uncial::program
