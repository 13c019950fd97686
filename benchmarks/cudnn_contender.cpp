// Everything else by cuBLAS and cuDNN 9.
#include "gpu_libraries.h"
#include "uncial/core/random.h"

namespace uncial::bench {

bool has_gpu_libraries() { return true; }

GpuContestant library_copy(int64_t bytes) {
  const auto from = std::make_shared<Memory>(size_t(bytes)), to = std::make_shared<Memory>(size_t(bytes));
  check(cudaMemset(from->data, 1, size_t(bytes)));
  const auto call = [=] {
    check(cudaMemcpyAsync(to->data, from->data, size_t(bytes), cudaMemcpyDeviceToDevice, handles().stream));
  };
  return contestant(call, {});
}

GpuContestant library_product(int64_t M, int64_t N, int64_t K, bool bfloat16, const Tensor& a,
                              const Tensor& b) {
  const Layout la{M, K, 1, 1, bfloat16}, lb{N, K, 1, 1, bfloat16}, lc{M, N, 1, 1, false};
  const auto pa = on_gpu(la, a.defined() ? a : rand({M, K}, 1, -1, 1)),
             pb = on_gpu(lb, b.defined() ? b : rand({N, K}, 2, -1, 1));
  const Answer c(lc);
  const cudaDataType type = bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
  // cuBLAS counts columns first, so what it sees of row-major operands is their transposes.
  const auto call = [=] {
    check(cublasGemmEx(handles().blas, CUBLAS_OP_T, CUBLAS_OP_N, int(N), int(M), int(K), &kOne, pb->data,
                       type, int(K), pa->data, type, int(K), &kNone, c.memory->data, CUDA_R_32F, int(N),
                       CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  };
  return contestant(call, {c});
}

namespace {

GpuContestant pool(const Tensor& x, cudnnPoolingMode_t how) {
  struct Descriptors {
    TensorDescriptor x, y;
    Described<cudnnPoolingDescriptor_t, cudnnCreatePoolingDescriptor, cudnnDestroyPoolingDescriptor> pool;
  };
  const auto d = std::make_shared<Descriptors>();
  const Layout lx{x.size(0), x.size(1), x.size(2), x.size(3), false},
      ly{lx.n, lx.c, lx.h / 2, lx.w / 2, false};
  lx.describe(d->x), ly.describe(d->y);
  check(cudnnSetPooling2dDescriptor(d->pool, how, CUDNN_NOT_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
  const auto from = on_gpu(lx, x);
  const Answer to(ly);
  return contestant(
      [=] {
        check(cudnnPoolingForward(handles().dnn, d->pool, &kOne, d->x, from->data, &kNone, d->y,
                                  to.memory->data));
      },
      {to});
}

}  // namespace

GpuContestant library_max_pool(const Tensor& x) { return pool(x, CUDNN_POOLING_MAX); }
GpuContestant library_average_pool(const Tensor& x) {
  return pool(x, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING);
}

GpuContestant library_softmax(const Tensor& x) {
  const auto d = std::make_shared<TensorDescriptor>();
  const Layout l{x.size(0), x.size(1), 1, 1, false};
  l.describe(*d);
  const auto from = on_gpu(l, x);
  const Answer to(l);
  return contestant(
      [=] {
        check(cudnnSoftmaxForward(handles().dnn, CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_INSTANCE, &kOne,
                                  *d, from->data, &kNone, *d, to.memory->data));
      },
      {to});
}

GpuContestant library_batch_norm(const Tensor& x) {
  struct Descriptors {
    TensorDescriptor x, numbers;
  };
  const auto d = std::make_shared<Descriptors>();
  const Layout l{x.size(0), x.size(1), x.size(2), x.size(3), false}, numbers{1, l.c, 1, 1, false};
  l.describe(d->x), numbers.describe(d->numbers);
  const Answer to(l);
  const auto from = on_gpu(l, x), scale = on_gpu(numbers, ones({l.c})), shift = on_gpu(numbers, zeros({l.c})),
             mean = std::make_shared<Memory>(numbers.bytes()),
             deviation = std::make_shared<Memory>(numbers.bytes());
  constexpr double kEpsilon = 1e-5;
  return contestant(
      [=] {
        check(cudnnBatchNormalizationForwardTraining(handles().dnn, CUDNN_BATCHNORM_SPATIAL, &kOne, &kNone,
                                                     d->x, from->data, d->x, to.memory->data, d->numbers,
                                                     scale->data, shift->data, 0, nullptr, nullptr, kEpsilon,
                                                     mean->data, deviation->data));
      },
      {to});
}

}  // namespace uncial::bench
