#include "grid.h"

namespace uncial::cuda {
namespace {

__global__ void probe() { wait_for_kernel_before(); }

}  // namespace

bool code_waits() {
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, probe), "asking for a kernel's properties");
  return attributes.ptxVersion >= 90;
}

}  // namespace uncial::cuda
