#pragma once
/// @file schedule.h
/// A program made ready to run: stages, and the memory that they share. Internal.

#include <memory>

#include "graph.h"
#include "stage.h"

namespace uncial::program {

struct Schedule {
  Runtime runtime;
  std::vector<std::unique_ptr<Stage>> stages;
  int64_t arena_bytes = 0, workspace_bytes = 0;
  std::shared_ptr<Storage> memory;  ///< arena, then workspace
  struct InputValue {               ///< a window that moves with the caller's memory
    int value, input;
    int64_t byte_offset;
  };
  std::vector<InputValue> input_values;
  std::vector<Storage*> written;  ///< of externals and results
};

/// Decides what runs (stages) and where temporaries lie; `buffers` get their places.
std::unique_ptr<Schedule> make_schedule(const Program& program, std::vector<Buffer>& buffers,
                                        const PlanOptions& options);

}  // namespace uncial::program
