// Convolutions by cuDNN 9.
#include "gpu_libraries.h"

namespace uncial::bench {
namespace {

/// Descriptors and memory of one convolution.
struct Conv {
  Layout x, w, y;
  TensorDescriptor dx, dy;
  Described<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor> dw;
  Described<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor>
      conv;
  std::shared_ptr<Memory> workspace;

  explicit Conv(const LibraryConv& c)
      : x{c.N, c.C, c.H, c.W, c.bfloat16},
        w{c.K, c.C, c.R, c.R, c.bfloat16},
        y{c.N, c.K, c.H - c.R + 1, c.W - c.R + 1, c.bfloat16} {
    x.describe(dx), y.describe(dy);
    check(cudnnSetFilter4dDescriptor(dw, w.type(), w.format(), int(c.K), int(c.C), int(c.R), int(c.R)));
    check(cudnnSetConvolution2dDescriptor(conv, 0, 0, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    set_math(c.bfloat16 ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH);
  }
  void set_math(cudnnMathType_t type) { check(cudnnSetConvolutionMathType(conv, type)); }

  /// The fastest that cuDNN finds.
  template <class Perf, class Find>
  Perf find(const Find& find) {
    Perf perf[8] = {};
    int found = 0;
    check(find(8, &found, perf));
    for (int i = 0; i < found; ++i)
      if (perf[i].status == CUDNN_STATUS_SUCCESS && (x.bfloat16 || perf[i].mathType == CUDNN_FMA_MATH)) {
        set_math(perf[i].mathType);
        workspace = std::make_shared<Memory>(perf[i].memory);
        bytes = perf[i].memory;
        return perf[i];
      }
    fail(ErrorKind::device, "bench_kernels: cuDNN has no algorithm for a convolution.");
  }
  size_t bytes = 0;
};

using ConvPtr = std::shared_ptr<Conv>;

std::function<void()> forward(const ConvPtr& c, const void* x, const void* w, void* y) {
  const auto perf = c->find<cudnnConvolutionFwdAlgoPerf_t>([&](int most, int* found, auto* all) {
    return cudnnFindConvolutionForwardAlgorithm(handles().dnn, c->dx, c->dw, c->conv, c->dy, most, found,
                                                all);
  });
  return [=] {
    check(cudnnConvolutionForward(handles().dnn, &kOne, c->dx, x, c->dw, w, c->conv, perf.algo,
                                  c->workspace->data, c->bytes, &kNone, c->dy, y));
  };
}

std::function<void()> input_gradient(const ConvPtr& c, const void* dy, const void* w, void* dx) {
  const auto perf = c->find<cudnnConvolutionBwdDataAlgoPerf_t>([&](int most, int* found, auto* all) {
    return cudnnFindConvolutionBackwardDataAlgorithm(handles().dnn, c->dw, c->dy, c->conv, c->dx, most, found,
                                                     all);
  });
  return [=] {
    check(cudnnConvolutionBackwardData(handles().dnn, &kOne, c->dw, w, c->dy, dy, c->conv, perf.algo,
                                       c->workspace->data, c->bytes, &kNone, c->dx, dx));
  };
}

std::function<void()> weight_gradient(const ConvPtr& c, const void* x, const void* dy, void* dw) {
  const auto perf = c->find<cudnnConvolutionBwdFilterAlgoPerf_t>([&](int most, int* found, auto* all) {
    return cudnnFindConvolutionBackwardFilterAlgorithm(handles().dnn, c->dx, c->dy, c->conv, c->dw, most,
                                                       found, all);
  });
  return [=] {
    check(cudnnConvolutionBackwardFilter(handles().dnn, &kOne, c->dx, x, c->dy, dy, c->conv, perf.algo,
                                         c->workspace->data, c->bytes, &kNone, c->dw, dw));
  };
}

/// What follows a convolution.
struct Rest {
  Layout bias, pooled;
  TensorDescriptor dbias, dpooled;
  Described<cudnnActivationDescriptor_t, cudnnCreateActivationDescriptor, cudnnDestroyActivationDescriptor>
      relu;
  Described<cudnnPoolingDescriptor_t, cudnnCreatePoolingDescriptor, cudnnDestroyPoolingDescriptor> pool;

  explicit Rest(const Layout& y)
      : bias{1, y.c, 1, 1, y.bfloat16}, pooled{y.n, y.c, y.h / 2, y.w / 2, y.bfloat16} {
    bias.describe(dbias), pooled.describe(dpooled);
    check(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_NOT_PROPAGATE_NAN, 0));
    check(cudnnSetPooling2dDescriptor(pool, CUDNN_POOLING_MAX, CUDNN_NOT_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
  }
};

}  // namespace

GpuContestant library_conv_training(const LibraryConv& spec, const Tensor& x, const Tensor& w,
                                    const Tensor& dy) {
  const auto f = std::make_shared<Conv>(spec), d = std::make_shared<Conv>(spec),
             g = std::make_shared<Conv>(spec);
  const auto px = on_gpu(f->x, x), pw = on_gpu(f->w, w), pdy = on_gpu(f->y, dy);
  const Answer y(f->y), dx(f->x), dw(f->w);
  const auto first = forward(f, px->data, pw->data, y.memory->data),
             last = weight_gradient(g, px->data, pdy->data, dw.memory->data);
  if (spec.C == 1)
    return contestant(
        [=, keeps = std::vector{px, pw, pdy}] {
          first();
          last();
        },
        {y, dw});
  const auto second = input_gradient(d, pdy->data, pw->data, dx.memory->data);
  return contestant(
      [=, keeps = std::vector{px, pw, pdy}] {
        first();
        second();
        last();
      },
      {y, dx, dw});
}

GpuContestant library_conv_relu_pool(const LibraryConv& spec, const Tensor& x, const Tensor& w,
                                     const Tensor& bias) {
  const auto c = std::make_shared<Conv>(spec);
  const auto rest = std::make_shared<Rest>(c->y);
  constexpr auto kAlgorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;  // the one that fuses
  check(cudnnGetConvolutionForwardWorkspaceSize(handles().dnn, c->dx, c->dw, c->conv, c->dy, kAlgorithm,
                                                &c->bytes));
  c->workspace = std::make_shared<Memory>(c->bytes);
  const auto px = on_gpu(c->x, x), pw = on_gpu(c->w, w), pb = on_gpu(rest->bias, bias);
  const Answer y(c->y), pooled(rest->pooled);
  return contestant(
      [=] {
        void* const image = y.memory->data;
        check(cudnnConvolutionBiasActivationForward(
            handles().dnn, &kOne, c->dx, px->data, c->dw, pw->data, c->conv, kAlgorithm, c->workspace->data,
            c->bytes, &kNone, c->dy, image, rest->dbias, pb->data, rest->relu, c->dy, image));
        check(cudnnPoolingForward(handles().dnn, rest->pool, &kOne, c->dy, image, &kNone, rest->dpooled,
                                  pooled.memory->data));
      },
      {pooled});
}

}  // namespace uncial::bench
