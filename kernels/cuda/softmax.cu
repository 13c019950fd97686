#include "uncial/kernels/softmax.h"

#include "grid.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {
namespace {

/// A line along the middle axis.
template <class T>
struct Line {
  const T* x;
  int64_t count, step;

  /// The largest element (CPU: std::max, so that a NaN that is not the first loses).
  UNCIAL_BODY T largest(const Block& block) const {
    return block.reduce(
        -T(__builtin_inff()),
        [&](int t) {
          T most = -T(__builtin_inff());
          for (int64_t k = t; k < count; k += block.threads) most = most < x[k * step] ? x[k * step] : most;
          return most;
        },
        [](T a, T b) { return a < b ? b : a; });
  }
  /// The sum of e^(x - m).
  UNCIAL_BODY double sum(const Block& block, T m) const {
    return block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t k = t; k < count; k += block.threads) sum += double(math::exp(x[k * step] - m));
      return sum;
    });
  }
};

/// y[k] = of(x[k], largest, sum) along all lines.
template <bool kLog, class T>
void lines(const T* x, T* y, const SoftmaxExtents& e, const char* what) {
  each_block(
      e.outer * e.inner, threads_for(e.classes), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t first = block.index / e.inner * e.classes * e.inner + block.index % e.inner;
        const Line<T> line{x + first, e.classes, e.inner};
        const T m = line.largest(block);
        const double sum = line.sum(block, m);
        const T log_sum = kLog ? T(math::log(sum)) : T(0);
        block.each_thread([&](int t) {
          for (int64_t k = t; k < e.classes; k += block.threads) {
            const T above = x[first + k * e.inner] - m;
            y[first + k * e.inner] = kLog ? above - log_sum : T(double(math::exp(above)) / sum);
          }
        });
      },
      what);
}

}  // namespace

template <class T>
void softmax(const T* x, T* y, SoftmaxExtents e) {
  lines<false>(x, y, e, "softmax");
}
template <class T>
void log_softmax(const T* x, T* y, SoftmaxExtents e) {
  lines<true>(x, y, e, "log_softmax");
}

template void softmax<float>(const float*, float*, SoftmaxExtents);
template void softmax<double>(const double*, double*, SoftmaxExtents);
template void log_softmax<float>(const float*, float*, SoftmaxExtents);
template void log_softmax<double>(const double*, double*, SoftmaxExtents);

}  // namespace uncial::cuda
