// A build without CUDA, or with the emulator: no libraries to compare with.
#include "gpu_contenders.h"

namespace uncial::bench {
bool has_gpu_libraries() { return false; }
GpuContestant library_copy(int64_t) { return {}; }
GpuContestant library_product(int64_t, int64_t, int64_t, bool, const Tensor&, const Tensor&) { return {}; }
GpuContestant library_conv_training(const LibraryConv&, const Tensor&, const Tensor&, const Tensor&) {
  return {};
}
GpuContestant library_conv_relu_pool(const LibraryConv&, const Tensor&, const Tensor&, const Tensor&) {
  return {};
}
GpuContestant library_max_pool(const Tensor&) { return {}; }
GpuContestant library_average_pool(const Tensor&) { return {}; }
GpuContestant library_softmax(const Tensor&) { return {}; }
GpuContestant library_batch_norm(const Tensor&) { return {}; }
}  // namespace uncial::bench
