#include "uncial/kernels/norm.h"

#include "grid.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {
namespace {

constexpr int kThreads = 512;  // of the block that has one channel

/// Value i of channel c: i counts samples and places.
struct Channel {
  NormExtents e;
  int64_t c;
  UNCIAL_BODY int64_t size() const { return e.N * e.L; }
  UNCIAL_BODY int64_t at(int64_t i) const { return (i / e.L * e.C + c) * e.L + i % e.L; }
  /// Sum over the channel of value(place).
  template <class Value>
  UNCIAL_BODY double sum(const Block& block, Value value) const {
    return block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t i = t; i < size(); i += block.threads) sum += value(at(i));
      return sum;
    });
  }
  template <class F>
  UNCIAL_BODY void each(const Block& block, F f) const {
    block.each_thread([&](int t) {
      for (int64_t i = t; i < size(); i += block.threads) f(at(i));
    });
  }
};

template <class Body>
void each_channel(const NormExtents& e, Body body, const char* what) {
  each_block<kThreads>(
      e.C, threads_for(e.N * e.L, kThreads), 0,
      [=] UNCIAL_BODY(const Block& block) {
        body(block, Channel{e, block.index});
      },
      what);
}

template <class T>
struct Forward {
  const T *x, *scale, *shift;
  double epsilon;
  T *y, *mean, *variance;

  UNCIAL_BODY void operator()(const Block& block, const Channel& channel) const {
    const int64_t c = channel.c;
    const double count = double(channel.size());
    const T centre = T(channel.sum(block, [&](int64_t i) { return double(x[i]); }) / count);
    const T spread = T(channel.sum(block, [&](int64_t i) {
      const double d = double(x[i] - centre);
      return d * d;
    }) / count);
    const T factor = T(double(scale[c]) / math::sqrt(double(spread) + epsilon));
    channel.each(block, [&](int64_t i) { y[i] = (x[i] - centre) * factor + shift[c]; });
    block.each_thread([&](int t) {
      if (t == 0) mean[c] = centre, variance[c] = spread;
    });
  }
};

template <class T>
struct Backward {
  const T *dy, *x, *scale, *mean, *variance;
  double epsilon;
  T *dx, *dscale, *dshift;

  UNCIAL_BODY void operator()(const Block& block, const Channel& channel) const {
    const int64_t c = channel.c;
    const double count = double(channel.size());
    const double sum_dy = channel.sum(block, [&](int64_t i) { return double(dy[i]); });
    const double sum_dy_x =
        channel.sum(block, [&](int64_t i) { return double(dy[i]) * double(x[i] - mean[c]); });
    const double inverse = 1 / math::sqrt(double(variance[c]) + epsilon);
    const T dy_mean = T(sum_dy / count), slope = T(sum_dy_x * inverse * inverse / count),
            factor = T(double(scale[c]) * inverse), centre = mean[c];
    channel.each(block, [&](int64_t i) { dx[i] = (dy[i] - dy_mean - (x[i] - centre) * slope) * factor; });
    block.each_thread([&](int t) {
      if (t == 0) dshift[c] = T(sum_dy), dscale[c] = T(sum_dy_x * inverse);
    });
  }
};

}  // namespace

template <class T>
void batch_norm(const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean, T* variance,
                NormExtents e) {
  each_channel(e, Forward<T>{x, scale, shift, epsilon, y, mean, variance}, "batch_norm");
}

template <class T>
void batch_norm_inference(const T* x, const T* scale, const T* shift, const T* mean, const T* variance,
                          double epsilon, T* y, NormExtents e) {
  each(
      e.N * e.C * e.L,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t c = i / e.L % e.C;
        const T factor = T(double(scale[c]) / math::sqrt(double(variance[c]) + epsilon));
        y[i] = (x[i] - mean[c]) * factor + shift[c];
      },
      "batch_norm_inference");
}

template <class T>
void batch_norm_backward(const T* dy, const T* x, const T* scale, const T* mean, const T* variance,
                         double epsilon, T* dx, T* dscale, T* dshift, NormExtents e) {
  each_channel(e, Backward<T>{dy, x, scale, mean, variance, epsilon, dx, dscale, dshift},
               "batch_norm_backward");
}

#define UNCIAL_INSTANTIATE(T)                                                                                \
  template void batch_norm<T>(const T*, const T*, const T*, double, T*, T*, T*, NormExtents);                \
  template void batch_norm_inference<T>(const T*, const T*, const T*, const T*, const T*, double, T*,        \
                                        NormExtents);                                                        \
  template void batch_norm_backward<T>(const T*, const T*, const T*, const T*, const T*, double, T*, T*, T*, \
                                       NormExtents);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
