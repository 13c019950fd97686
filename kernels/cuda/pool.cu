#include "uncial/kernels/pool.h"

#include "grid.h"

// One thread an element of what is written. Gradients are gathered: a thread looks at all windows that see
// its place, in order, so no sum depends on which thread comes first.

namespace uncial::cuda {
namespace {

struct Range {
  int64_t begin, end;
};
/// The part of window p along one axis inside the image.
UNCIAL_BODY inline Range window(const PoolExtents& e, int64_t p, int64_t side) {
  const int64_t first = p * e.stride - e.padding, last = first + e.kernel;
  return {first < 0 ? 0 : first, last > side ? side : last};
}
/// The windows that see place h along one axis.
UNCIAL_BODY inline Range windows(const PoolExtents& e, int64_t h, int64_t count) {
  const int64_t from = h + e.padding - e.kernel + 1;
  const int64_t first = from <= 0 ? 0 : (from + e.stride - 1) / e.stride,
                end = (h + e.padding) / e.stride + 1;
  return {first, end > count ? count : end};
}

/// Index within the image of the first largest place of window (p, q); the first NaN counts as largest.
template <class T>
UNCIAL_BODY int64_t winner(const T* image, const PoolExtents& e, int64_t p, int64_t q) {
  const Range rows = window(e, p, e.H), columns = window(e, q, e.W);
  int64_t best = rows.begin * e.W + columns.begin;
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t i = h * e.W + columns.begin; i < h * e.W + columns.end; ++i)
      if (image[i] > image[best] || (image[i] != image[i] && image[best] == image[best])) best = i;
  return best;
}

/// body(plane, row, column, i) for all elements of `planes` planes.
template <class Body>
void each_place(int64_t planes, int64_t rows, int64_t columns, Body body, const char* what) {
  each(
      planes * rows * columns,
      [=] UNCIAL_BODY(int64_t i) { body(i / columns / rows, i / columns % rows, i % columns, i); }, what);
}

template <class T>
struct MaxGather {
  const T *values, *x;
  T* y;
  PoolExtents e;
  UNCIAL_BODY void operator()(int64_t plane, int64_t p, int64_t q, int64_t i) const {
    const int64_t image = plane * e.H * e.W;
    y[i] = values[image + winner(x + image, e, p, q)];
  }
};

template <class T>
struct MaxScatter {
  const T *dy, *x;
  T* dx;
  PoolExtents e;
  UNCIAL_BODY void operator()(int64_t plane, int64_t h, int64_t w, int64_t i) const {
    const T *image = x + plane * e.H * e.W, *from = dy + plane * e.P * e.Q;
    const Range rows = windows(e, h, e.P), columns = windows(e, w, e.Q);
    T sum = 0;
    for (int64_t p = rows.begin; p < rows.end; ++p)
      for (int64_t q = columns.begin; q < columns.end; ++q)
        if (winner(image, e, p, q) == h * e.W + w) sum += from[p * e.Q + q];
    dx[i] = sum;
  }
};

template <class T>
struct Mean {
  const T* x;
  T* y;
  PoolExtents e;
  UNCIAL_BODY void operator()(int64_t plane, int64_t p, int64_t q, int64_t i) const {
    const Range rows = window(e, p, e.H), columns = window(e, q, e.W);
    T sum = 0;
    for (int64_t h = rows.begin; h < rows.end; ++h)
      for (int64_t w = columns.begin; w < columns.end; ++w) sum += x[(plane * e.H + h) * e.W + w];
    y[i] = sum / T((rows.end - rows.begin) * (columns.end - columns.begin));
  }
};

template <class T>
struct MeanBackward {
  const T* dy;
  T* dx;
  PoolExtents e;
  UNCIAL_BODY void operator()(int64_t plane, int64_t h, int64_t w, int64_t i) const {
    const Range rows = windows(e, h, e.P), columns = windows(e, w, e.Q);
    T sum = 0;
    for (int64_t p = rows.begin; p < rows.end; ++p)
      for (int64_t q = columns.begin; q < columns.end; ++q) {
        const Range r = window(e, p, e.H), c = window(e, q, e.W);
        sum += dy[(plane * e.P + p) * e.Q + q] / T((r.end - r.begin) * (c.end - c.begin));
      }
    dx[i] = sum;
  }
};

}  // namespace

template <class T>
void max_pool(const T* x, T* y, PoolExtents e) {
  max_pool_gather<T>(x, x, y, e);
}
template <class T>
void max_pool_gather(const T* values, const T* x, T* y, PoolExtents e) {
  each_place(e.planes, e.P, e.Q, MaxGather<T>{values, x, y, e}, "max_pool");
}
template <class T>
void max_pool_scatter(const T* dy, const T* x, T* dx, PoolExtents e) {
  each_place(e.planes, e.H, e.W, MaxScatter<T>{dy, x, dx, e}, "max_pool_backward");
}
template <class T>
void avg_pool(const T* x, T* y, PoolExtents e) {
  each_place(e.planes, e.P, e.Q, Mean<T>{x, y, e}, "avg_pool");
}
template <class T>
void avg_pool_backward(const T* dy, T* dx, PoolExtents e) {
  each_place(e.planes, e.H, e.W, MeanBackward<T>{dy, dx, e}, "avg_pool_backward");
}

#define UNCIAL_INSTANTIATE(T)                                             \
  template void max_pool<T>(const T*, T*, PoolExtents);                   \
  template void max_pool_gather<T>(const T*, const T*, T*, PoolExtents);  \
  template void max_pool_scatter<T>(const T*, const T*, T*, PoolExtents); \
  template void avg_pool<T>(const T*, T*, PoolExtents);                   \
  template void avg_pool_backward<T>(const T*, T*, PoolExtents);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
