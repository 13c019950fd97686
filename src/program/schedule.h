#pragma once
/// @file schedule.h
/// A program made ready to run: stages, and the memory that they share. Internal.

#include <memory>

#include "branches.h"
#include "graph.h"
#include "graph_replay.h"
#include "stage.h"

namespace uncial::program {

struct Schedule {
  Runtime runtime;
  std::vector<std::unique_ptr<Stage>> stages;
  Branches branches;  ///< on a GPU
  int64_t arena_bytes = 0, workspace_bytes = 0;
  std::shared_ptr<Storage> memory;  ///< arena, then workspace
  struct InputValue {               ///< a window that moves with the caller's memory
    int value, input;
    int64_t byte_offset;
  };
  std::vector<InputValue> input_values;
  void bind_inputs(std::span<const Tensor> inputs) {
    for (const InputValue& v : input_values)
      runtime.views[size_t(v.value)].data =
          static_cast<std::byte*>(inputs[size_t(v.input)].view().data) + v.byte_offset;
  }
  std::vector<Storage*> written;        ///< of externals and results
  std::unique_ptr<GraphReplay> graphs;  ///< on a GPU; last: it launches what is above
};

/// Decides what runs (stages) and where temporaries lie; `buffers` get their places.
std::unique_ptr<Schedule> make_schedule(const Program& program, std::vector<Buffer>& buffers,
                                        const PlanOptions& options);

}  // namespace uncial::program
