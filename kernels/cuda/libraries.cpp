#include "libraries.h"

#include <map>
#include <mutex>

#include "uncial/core/error.h"

namespace uncial::cuda {
namespace {

/// One handle of a library for each device that this thread works on.
template <class Handle, auto create, auto destroy>
class Handles {
 public:
  ~Handles() {
    for (const auto& [device, handle] : all_) destroy(handle);
  }
  Handle of_current_device(const char* what) {
    int device = 0;
    check(cudaGetDevice(&device), "asking for the GPU");
    const auto found = all_.find(device);
    if (found != all_.end()) return found->second;
    Handle handle;
    check(create(&handle), what);
    return all_[device] = handle;
  }

 private:
  std::map<int, Handle> all_;
};

constexpr size_t kBlasWorkspace = size_t(32) << 20;  // what cuBLAS recommends for Hopper

/// Of the current device, for all threads: they share its stream, so their products come one after the other.
/// Kept to the end, because graphs go on using it when the thread that made them is gone.
void* blas_workspace() {
  static std::mutex mutex;
  static std::map<int, void*> all;
  int device = 0;
  check(cudaGetDevice(&device), "asking for the GPU");
  const std::lock_guard lock(mutex);
  void*& memory = all[device];
  if (!memory) check(cudaMalloc(&memory, kBlasWorkspace), "allocating memory for cuBLAS");
  return memory;
}

}  // namespace

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  fail(ErrorKind::device, "cuda: ", what, ": cuBLAS says ", cublasGetStatusString(status), ".");
}
void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  fail(ErrorKind::device, "cuda: ", what, ": cuDNN says ", cudnnGetErrorString(status), ".");
}

cublasHandle_t blas() {
  thread_local Handles<cublasHandle_t, cublasCreate, cublasDestroy> handles;
  const cudaStream_t stream = current_stream();
  cublasHandle_t handle = handles.of_current_device("starting cuBLAS");
  check(cublasSetStream(handle, stream), "choosing a stream for cuBLAS");
  // A stream without memory of its own would make cuBLAS allocate some, which a captured graph must not.
  check(cublasSetWorkspace(handle, blas_workspace(), kBlasWorkspace), "giving memory to cuBLAS");
  return handle;
}
cudnnHandle_t dnn() {
  thread_local Handles<cudnnHandle_t, cudnnCreate, cudnnDestroy> handles;
  const cudaStream_t stream = current_stream();
  cudnnHandle_t handle = handles.of_current_device("starting cuDNN");
  check(cudnnSetStream(handle, stream), "choosing a stream for cuDNN");
  return handle;
}

}  // namespace uncial::cuda
