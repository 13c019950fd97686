#include "uncial/kernels/conv.h"

#include <array>
#include <limits>
#include <map>

#include "conv_any.h"
#include "grid.h"
#include "libraries.h"

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

/// cuDNN counts with int, in whole tensors too.
bool countable(const ConvExtents& e) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  return e.N * e.C * e.H * e.W <= kMost && e.N * e.K * e.P * e.Q <= kMost && e.padding <= kMost &&
         e.stride <= kMost && e.dilation <= kMost;
}

/// False when cuDNN has nothing for these extents, which conv_any.h does then.
bool done(cudnnStatus_t status, const char* what) {
  if (CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status, what);
  return true;
}

template <class T>
struct Problem {
  static constexpr cudnnDataType_t kType = sizeof(T) == 4 ? CUDNN_DATA_FLOAT : CUDNN_DATA_DOUBLE;
  Described<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor> x, y;
  Described<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor> w;
  Described<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor>
      conv;

  explicit Problem(const ConvExtents& e) {
    const int padding = int(e.padding), stride = int(e.stride), dilation = int(e.dilation);
    check(cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NCHW, kType, int(e.N), int(e.C), int(e.H), int(e.W)),
          "describing x");
    check(cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NCHW, kType, int(e.N), int(e.K), int(e.P), int(e.Q)),
          "describing y");
    check(cudnnSetFilter4dDescriptor(w, kType, CUDNN_TENSOR_NCHW, int(e.K), int(e.C / e.groups), int(e.R),
                                     int(e.S)),
          "describing the filters");
    check(cudnnSetConvolution2dDescriptor(conv, padding, padding, stride, stride, dilation, dilation,
                                          CUDNN_CROSS_CORRELATION, kType),
          "describing a convolution");
    check(cudnnSetConvolutionGroupCount(conv, int(e.groups)), "describing a convolution");
    // Tensor cores see 11 bits of a factor (TF32).
    check(cudnnSetConvolutionMathType(conv, e.few_bits ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
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

/// How cuDNN does one convolution.
template <class Algorithm>
struct Way {
  Algorithm algorithm;
  size_t bytes;   ///< of its workspace
  bool is_there;  ///< false: cuDNN has nothing for these extents, which conv_any.h does then
};

/// What cuDNN's choice depends on, but for the pass.
using Key = std::array<int64_t, 16>;
template <class T>
Key key_of(const ConvExtents& e) {
  return {e.N, e.C,      e.H,       e.W,        e.K,      e.R,        e.S,       e.P,
          e.Q, e.stride, e.padding, e.dilation, e.groups, e.few_bits, sizeof(T), current_device()};
}

/// Fourier's transform asks for gigabytes at batches of thousands.
constexpr size_t kMostWorkspace = size_t(1) << 28;

/// The first of cuDNN's proposals, which come in the order of the time that it expects, that adds in a fixed
/// order with the arithmetic asked for; `usual`, which does for all extents, where there is none. Asked once.
template <class Perf, class T, class Algorithm, class Ask, class Workspace>
Way<Algorithm> way(const ConvExtents& e, Algorithm usual, Ask ask, Workspace workspace, const char* what) {
  thread_local std::map<Key, Way<Algorithm>> known;
  const Key key = key_of<T>(e);
  if (const auto place = known.find(key); place != known.end()) return place->second;
  Way<Algorithm> way{};
  std::array<Perf, 10> proposals{};
  int count = 0;
  if (ask(int(proposals.size()), &count, proposals.data()) != CUDNN_STATUS_SUCCESS) count = 0;
  for (int i = 0; i < count; ++i) {
    const Perf& p = proposals[size_t(i)];
    const bool exact = p.mathType == CUDNN_FMA_MATH || sizeof(T) == 8;
    if (p.status != CUDNN_STATUS_SUCCESS || p.determinism != CUDNN_DETERMINISTIC ||
        p.memory > kMostWorkspace || !(exact || e.few_bits))
      continue;
    way = {p.algo, 0, true};
    if (workspace(p.algo, &way.bytes) == CUDNN_STATUS_SUCCESS) return known[key] = way;
  }
  way = {usual, 0, true};
  way.is_there = done(workspace(usual, &way.bytes), what);
  return known[key] = way;
}

template <class T>
bool forward(const ConvExtents& e, const T* x, const T* w, T* y) {
  if (!countable(e)) return false;
  const Problem<T> p(e);
  const auto chosen = way<cudnnConvolutionFwdAlgoPerf_t, T>(
      e, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
      [&](int most, int* count, auto* proposals) {
        return cudnnGetConvolutionForwardAlgorithm_v7(dnn(), p.x, p.w, p.conv, p.y, most, count, proposals);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionForwardWorkspaceSize(dnn(), p.x, p.w, p.conv, p.y, algorithm, bytes);
      },
      "conv2d");
  if (!chosen.is_there) return false;
  const Temporary workspace{int64_t(chosen.bytes)};
  const T one = 1, none = 0;
  return done(cudnnConvolutionForward(dnn(), &one, p.x, x, p.w, w, p.conv, chosen.algorithm,
                                      workspace.as<void>(), chosen.bytes, &none, p.y, y),
              "conv2d");
}

template <class T>
bool input_gradient(const ConvExtents& e, const T* dy, const T* w, T* dx) {
  if (!countable(e)) return false;
  const Problem<T> p(e);
  const auto chosen = way<cudnnConvolutionBwdDataAlgoPerf_t, T>(
      e, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
      [&](int most, int* count, auto* proposals) {
        return cudnnGetConvolutionBackwardDataAlgorithm_v7(dnn(), p.w, p.y, p.conv, p.x, most, count,
                                                           proposals);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardDataWorkspaceSize(dnn(), p.w, p.y, p.conv, p.x, algorithm, bytes);
      },
      "conv2d_input_gradient");
  if (!chosen.is_there) return false;
  const Temporary workspace{int64_t(chosen.bytes)};
  const T one = 1, none = 0;
  return done(cudnnConvolutionBackwardData(dnn(), &one, p.w, w, p.y, dy, p.conv, chosen.algorithm,
                                           workspace.as<void>(), chosen.bytes, &none, p.x, dx),
              "conv2d_input_gradient");
}

template <class T>
bool weight_gradient(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  if (!countable(e)) return false;
  const Problem<T> p(e);
  const auto chosen = way<cudnnConvolutionBwdFilterAlgoPerf_t, T>(
      e, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
      [&](int most, int* count, auto* proposals) {
        return cudnnGetConvolutionBackwardFilterAlgorithm_v7(dnn(), p.x, p.y, p.conv, p.w, most, count,
                                                             proposals);
      },
      [&](auto algorithm, size_t* bytes) {
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(dnn(), p.x, p.y, p.conv, p.w, algorithm, bytes);
      },
      "conv2d_weight_gradient");
  if (!chosen.is_there) return false;
  const Temporary workspace{int64_t(chosen.bytes)};
  const T one = 1, none = 0;
  return done(cudnnConvolutionBackwardFilter(dnn(), &one, p.x, x, p.y, dy, p.conv, chosen.algorithm,
                                             workspace.as<void>(), chosen.bytes, &none, p.w, dw),
              "conv2d_weight_gradient");
}

}  // namespace

template <class T>
void conv2d(const ConvExtents& e, const T* x, const T* w, const T* bias, T* y) {
  if (e.N * e.K * e.P * e.Q == 0) return;
  if (e.C == 0 || !forward(e, x, w, y)) return conv2d_any(e, x, w, bias, y);
  add_bias(bias, y, e.N, e.K, e.P * e.Q);
}

template <class T>
void conv2d_input_gradient(const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx) {
  if (e.N * e.C * e.H * e.W == 0) return;
  if (e.K == 0 || !input_gradient(e, dy, w, dx)) return conv2d_input_gradient_any(e, dy, w, bias, dx);
  add_bias(bias, dx, e.N, e.C, e.H * e.W);
}

template <class T>
void conv2d_weight_gradient(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  if (e.K * (e.C / e.groups) * e.R * e.S == 0) return;
  if (e.N == 0 || !weight_gradient(e, x, dy, dw)) conv2d_weight_gradient_any(e, x, dy, dw);
}

#define UNCIAL_INSTANTIATE(T)                                                                   \
  template void conv2d<T>(const ConvExtents&, const T*, const T*, const T*, T*);                \
  template void conv2d_input_gradient<T>(const ConvExtents&, const T*, const T*, const T*, T*); \
  template void conv2d_weight_gradient<T>(const ConvExtents&, const T*, const T*, T*);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
