#pragma once
/// @file layout.h
/// Which planner turns a program into stages. Internal.

#include "graph.h"

namespace uncial::program {

enum class Layout {
  recorded,  ///< operator by operator, row-major
  lanes,  ///< the batch in the lanes of vectors, for batches that fill them, and training from a few samples
          ///< on
  channels,  ///< channels in the lanes, for smaller batches
};

struct LayoutChoice {
  Layout layout = Layout::recorded;
  int64_t samples = 0;  ///< N of the first convolution or dense layer
};

LayoutChoice choose_layout(const Graph& graph);

}  // namespace uncial::program
