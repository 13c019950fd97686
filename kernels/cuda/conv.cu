#include "uncial/kernels/conv.h"

#include <limits>

#include "grid.h"
#include "libraries.h"
#include "rounded_factors.h"

namespace uncial::cuda {
namespace {

/// A cuDNN descriptor for the time of a call.
template <class Descriptor, auto create, auto destroy>
class Described {
 public:
  Described() { check(create(&descriptor_), "describing a convolution"); }
  ~Described() { destroy(descriptor_); }
  Described(const Described&) = delete;
  Described& operator=(const Described&) = delete;
  operator Descriptor() const { return descriptor_; }

 private:
  Descriptor descriptor_;
};

int as_int(int64_t value) {
  if (value > std::numeric_limits<int>::max())
    fail(ErrorKind::usage, "conv2d: an extent of ", value, " is more than a GPU takes.");
  return int(value);
}

template <class T>
struct Problem {
  static constexpr cudnnDataType_t kType = sizeof(T) == 4 ? CUDNN_DATA_FLOAT : CUDNN_DATA_DOUBLE;
  Described<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor> x, y;
  Described<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor> w;
  Described<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor>
      conv;

  explicit Problem(const ConvExtents& e) {
    const int padding = as_int(e.padding), stride = as_int(e.stride), dilation = as_int(e.dilation);
    check(cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NCHW, kType, as_int(e.N), as_int(e.C), as_int(e.H),
                                     as_int(e.W)),
          "describing x");
    check(cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NCHW, kType, as_int(e.N), as_int(e.K), as_int(e.P),
                                     as_int(e.Q)),
          "describing y");
    check(cudnnSetFilter4dDescriptor(w, kType, CUDNN_TENSOR_NCHW, as_int(e.K), as_int(e.C / e.groups),
                                     as_int(e.R), as_int(e.S)),
          "describing the filters");
    check(cudnnSetConvolution2dDescriptor(conv, padding, padding, stride, stride, dilation, dilation,
                                          CUDNN_CROSS_CORRELATION, kType),
          "describing a convolution");
    check(cudnnSetConvolutionGroupCount(conv, as_int(e.groups)), "describing a convolution");
    // Tensor cores see 11 bits of a factor (TF32).
    check(cudnnSetConvolutionMathType(conv, RoundedFactors::in_effect() ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
          "describing a convolution");
  }
};

/// Adds a value a channel to (N, channels, places).
template <class T>
void add_bias(const T* bias, T* y, int64_t N, int64_t channels, int64_t places) {
  if (!bias) return;
  each(
      N * channels * places, [=] UNCIAL_BODY(int64_t i) { y[i] += bias[i / places % channels]; }, "bias");
}

void clear(void* data, int64_t bytes) {
  check(cudaMemsetAsync(data, 0, size_t(bytes), current_stream()), "clearing");
}

}  // namespace

// All three algorithms add in a fixed order, unlike others of cuDNN.

template <class T>
void conv2d(const ConvExtents& e, const T* x, const T* w, const T* bias, T* y) {
  const int64_t size = e.N * e.K * e.P * e.Q;
  if (size == 0) return;
  if (e.C == 0) {
    clear(y, size * int64_t(sizeof(T)));
    return add_bias(bias, y, e.N, e.K, e.P * e.Q);
  }
  const Problem<T> p(e);
  constexpr auto kAlgorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
  size_t bytes = 0;
  check(cudnnGetConvolutionForwardWorkspaceSize(dnn(), p.x, p.w, p.conv, p.y, kAlgorithm, &bytes), "conv2d");
  const Temporary workspace(int64_t{bytes});
  const T one = 1, none = 0;
  check(cudnnConvolutionForward(dnn(), &one, p.x, x, p.w, w, p.conv, kAlgorithm, workspace.as<void>(), bytes,
                                &none, p.y, y),
        "conv2d");
  add_bias(bias, y, e.N, e.K, e.P * e.Q);
}

template <class T>
void conv2d_input_gradient(const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx) {
  const int64_t size = e.N * e.C * e.H * e.W;
  if (size == 0) return;
  if (e.K == 0) {
    clear(dx, size * int64_t(sizeof(T)));
    return add_bias(bias, dx, e.N, e.C, e.H * e.W);
  }
  const Problem<T> p(e);
  constexpr auto kAlgorithm = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
  size_t bytes = 0;
  check(cudnnGetConvolutionBackwardDataWorkspaceSize(dnn(), p.w, p.y, p.conv, p.x, kAlgorithm, &bytes),
        "conv2d_input_gradient");
  const Temporary workspace(int64_t{bytes});
  const T one = 1, none = 0;
  check(cudnnConvolutionBackwardData(dnn(), &one, p.w, w, p.y, dy, p.conv, kAlgorithm, workspace.as<void>(),
                                     bytes, &none, p.x, dx),
        "conv2d_input_gradient");
  add_bias(bias, dx, e.N, e.C, e.H * e.W);
}

template <class T>
void conv2d_weight_gradient(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  const int64_t size = e.K * (e.C / e.groups) * e.R * e.S;
  if (size == 0) return;
  if (e.N == 0) return clear(dw, size * int64_t(sizeof(T)));
  const Problem<T> p(e);
  constexpr auto kAlgorithm = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
  size_t bytes = 0;
  check(cudnnGetConvolutionBackwardFilterWorkspaceSize(dnn(), p.x, p.y, p.conv, p.w, kAlgorithm, &bytes),
        "conv2d_weight_gradient");
  const Temporary workspace(int64_t{bytes});
  const T one = 1, none = 0;
  check(cudnnConvolutionBackwardFilter(dnn(), &one, p.x, x, p.y, dy, p.conv, kAlgorithm, workspace.as<void>(),
                                       bytes, &none, p.w, dw),
        "conv2d_weight_gradient");
}

#define UNCIAL_INSTANTIATE(T)                                                                              \
  template void conv2d<T>(const ConvExtents&, const T*, const T*, const T*, T*);                          \
  template void conv2d_input_gradient<T>(const ConvExtents&, const T*, const T*, const T*, T*);           \
  template void conv2d_weight_gradient<T>(const ConvExtents&, const T*, const T*, T*);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
