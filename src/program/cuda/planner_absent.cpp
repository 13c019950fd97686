// A build without CUDA has no programs on GPUs.

#include "planner.h"
#include "uncial/core/error.h"

namespace uncial::program::cuda {

GpuPlan plan_for_gpu(const Graph&) {
  ensure(false, "a program on a GPU in a build without CUDA");
  return {};
}

}  // namespace uncial::program::cuda
