#pragma once
// What contestants of cuDNN and cuBLAS have in common. For files that are compiled with CUDA's headers only.

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include <memory>

#include "gpu_contenders.h"
#include "uncial/core/error.h"

namespace uncial::bench {

inline void check(cudaError_t status) {
  if (status != cudaSuccess)
    fail(ErrorKind::device, "bench_kernels: CUDA says ", cudaGetErrorString(status), ".");
}
inline void check(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS)
    fail(ErrorKind::device, "bench_kernels: cuBLAS says ", cublasGetStatusString(status), ".");
}
inline void check(cudnnStatus_t status) {
  if (status != CUDNN_STATUS_SUCCESS)
    fail(ErrorKind::device, "bench_kernels: cuDNN says ", cudnnGetErrorString(status), ".");
}

/// One for all contestants, never given back.
struct Handles {
  cudaStream_t stream = nullptr;
  cublasHandle_t blas = nullptr;
  cudnnHandle_t dnn = nullptr;
  Handles() {
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    check(cublasCreate(&blas));
    check(cublasSetStream(blas, stream));
    check(cudnnCreate(&dnn));
    check(cudnnSetStream(dnn, stream));
    void* memory = nullptr;  // a graph must not find cuBLAS allocating some
    constexpr size_t kBlas = size_t(32) << 20;
    check(cudaMalloc(&memory, kBlas));
    check(cublasSetWorkspace(blas, memory, kBlas));
  }
};
inline const Handles& handles() {
  static const Handles all;
  return all;
}

struct Memory {
  void* data = nullptr;
  explicit Memory(size_t bytes) { check(cudaMalloc(&data, bytes > 0 ? bytes : 1)); }
  ~Memory() { cudaFree(data); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
};

template <class Descriptor, auto create, auto destroy>
struct Described {
  Descriptor value;
  Described() { check(create(&value)); }
  ~Described() { destroy(value); }
  Described(const Described&) = delete;
  Described& operator=(const Described&) = delete;
  operator Descriptor() const { return value; }
};
using TensorDescriptor =
    Described<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;

/// Four extents in the library's layout: N C H W in float32, N H W C in bfloat16, which its tensor cores
/// want.
struct Layout {
  int64_t n, c, h, w;
  bool bfloat16;
  int64_t size() const { return n * c * h * w; }
  size_t bytes() const { return size_t(size()) * (bfloat16 ? 2 : 4); }
  cudnnDataType_t type() const { return bfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }
  cudnnTensorFormat_t format() const { return bfloat16 ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW; }
  /// Place of element i of the row-major N C H W order.
  int64_t place(int64_t i) const {
    if (!bfloat16 || h * w == 1) return i;
    const int64_t column = i % w, row = i / w % h, channel = i / (w * h) % c, sample = i / (w * h * c);
    return ((sample * h + row) * w + column) * c + channel;
  }
  void describe(cudnnTensorDescriptor_t d) const {
    check(cudnnSetTensor4dDescriptor(d, format(), type(), int(n), int(c), int(h), int(w)));
  }
};

/// `x`, a float tensor of the host, in the library's layout.
std::shared_ptr<Memory> on_gpu(const Layout& layout, const Tensor& x);
struct Answer {
  Layout layout;
  std::shared_ptr<Memory> memory;
  explicit Answer(const Layout& l) : layout(l), memory(std::make_shared<Memory>(l.bytes())) {}
};
/// A contestant around calls into libraries; many are launched as a CUDA graph, as recorded programs of ours
/// are.
GpuContestant contestant(std::function<void()> call, std::vector<Answer> answers);

inline constexpr float kOne = 1, kNone = 0;

}  // namespace uncial::bench
