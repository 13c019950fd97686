#pragma once
// cuDNN and cuBLAS at the same work, on the current GPU, in float32 or bfloat16 with float32 accumulation;
// layouts and algorithms are the libraries' choice, made before the clock starts. Operands come from the
// host, row-major N C H W.

#include "gpu_case.h"

namespace uncial::bench {

/// False in a build without CUDA, or with the emulator; nothing else here may be called then.
bool has_gpu_libraries();

/// cudaMemcpyAsync from the GPU's memory to itself.
GpuContestant library_copy(int64_t bytes);
/// c (M, N) = a (M, K) times b (N, K) transposed; random operands without `a` and `b`.
GpuContestant library_product(int64_t M, int64_t N, int64_t K, bool bfloat16, const Tensor& a = {},
                              const Tensor& b = {});

/// Extents of a convolution without padding, stride 1.
struct LibraryConv {
  int64_t N, C, H, W, K, R;
  bool bfloat16 = false;
};
/// y, the gradient of x (but for one channel: nobody needs that of pictures), and that of w.
GpuContestant library_conv_training(const LibraryConv& conv, const Tensor& x, const Tensor& w,
                                    const Tensor& dy);
/// With bias and ReLU in the same call, and 2x2 max pooling behind it.
GpuContestant library_conv_relu_pool(const LibraryConv& conv, const Tensor& x, const Tensor& w,
                                     const Tensor& bias);

/// 2x2 windows.
GpuContestant library_max_pool(const Tensor& x);
GpuContestant library_average_pool(const Tensor& x);
GpuContestant library_softmax(const Tensor& x);
/// Training mode: statistics of the batch.
GpuContestant library_batch_norm(const Tensor& x);

}  // namespace uncial::bench
