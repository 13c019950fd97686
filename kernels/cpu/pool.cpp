#include "uncial/kernels/pool.h"

#include <algorithm>

#include "simd/pool_2x2.h"
#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

/// The part of window (p, q) inside the image.
struct Window {
  int64_t h_begin, h_end, w_begin, w_end;
  int64_t places() const { return (h_end - h_begin) * (w_end - w_begin); }
};

Window window(const PoolExtents& e, int64_t p, int64_t q) {
  const int64_t h = p * e.stride - e.padding, w = q * e.stride - e.padding;
  return {std::max<int64_t>(h, 0), std::min(h + e.kernel, e.H), std::max<int64_t>(w, 0),
          std::min(w + e.kernel, e.W)};
}

/// Index within the image of the first largest place; the first NaN counts as largest.
template <class T>
int64_t winner(const T* x, int64_t W, const Window& at) {
  int64_t best = at.h_begin * W + at.w_begin;
  T most = x[best];
  for (int64_t h = at.h_begin; h < at.h_end; ++h)
    for (int64_t i = h * W + at.w_begin; i < h * W + at.w_end; ++i) {
      const bool better =
          bool(int(x[i] > most) | (int(x[i] != x[i]) & int(most == most)));  // no branch to mispredict
      most = better ? x[i] : most;
      best = better ? i : best;
    }
  return best;
}

/// Calls body(plane) for all planes, in tasks of about equal numbers of pixels.
template <class Body>
void for_planes(const PoolExtents& e, const Body& body) {
  constexpr int64_t kGrain = 1 << 14;  // pixels: about 5 us of 2 x 2 pooling
  parallel_blocks(e.planes, std::max<int64_t>(1, kGrain / (e.H * e.W)), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) body(plane);
  });
}

/// Calls body(window, index of the result) for all windows of one plane, in row-major order.
template <class Body>
void for_windows(const PoolExtents& e, const Body& body) {
  for (int64_t p = 0; p < e.P; ++p)
    for (int64_t q = 0; q < e.Q; ++q) body(window(e, p, q), p * e.Q + q);
}

bool is_2x2(const PoolExtents& e) { return e.kernel == 2 && e.stride == 2 && e.padding == 0; }

}  // namespace

template <class T>
void max_pool(const T* x, T* y, PoolExtents e) {
  if (!is_2x2(e)) return max_pool_gather<T>(x, x, y, e);
  for_planes(e, [&](int64_t n) { pool_2x2<T>().max(x + n * e.H * e.W, y + n * e.P * e.Q, e.W, e.P, e.Q); });
}

template <class T>
void max_pool_gather(const T* values, const T* x, T* y, PoolExtents e) {
  for_planes(e, [&](int64_t n) {
    const T *image = x + n * e.H * e.W, *from = values + n * e.H * e.W;
    T* to = y + n * e.P * e.Q;
    for_windows(e, [&](const Window& at, int64_t i) { to[i] = from[winner(image, e.W, at)]; });
  });
}

template <class T>
void max_pool_scatter(const T* dy, const T* x, T* dx, PoolExtents e) {
  for_planes(e, [&](int64_t n) {
    const T *image = x + n * e.H * e.W, *from = dy + n * e.P * e.Q;
    T* to = dx + n * e.H * e.W;
    if (is_2x2(e)) {
      pool_2x2<T>().max_scatter(from, image, to, e.W, e.P, e.Q);
      std::fill(to + 2 * e.P * e.W, to + e.H * e.W, T(0));
      return;
    }
    std::fill_n(to, e.H * e.W, T(0));
    for_windows(e, [&](const Window& at, int64_t i) { to[winner(image, e.W, at)] += from[i]; });
  });
}

template <class T>
void avg_pool(const T* x, T* y, PoolExtents e) {
  for_planes(e, [&](int64_t n) {
    const T* image = x + n * e.H * e.W;
    T* to = y + n * e.P * e.Q;
    for_windows(e, [&](const Window& at, int64_t i) {
      T sum = 0;
      for (int64_t h = at.h_begin; h < at.h_end; ++h)
        for (int64_t w = at.w_begin; w < at.w_end; ++w) sum += image[h * e.W + w];
      to[i] = sum / T(at.places());
    });
  });
}

template <class T>
void avg_pool_backward(const T* dy, T* dx, PoolExtents e) {
  for_planes(e, [&](int64_t n) {
    const T* from = dy + n * e.P * e.Q;
    T* to = dx + n * e.H * e.W;
    std::fill_n(to, e.H * e.W, T(0));
    for_windows(e, [&](const Window& at, int64_t i) {
      const T share = from[i] / T(at.places());
      for (int64_t h = at.h_begin; h < at.h_end; ++h)
        for (int64_t w = at.w_begin; w < at.w_end; ++w) to[h * e.W + w] += share;
    });
  });
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

}  // namespace uncial::cpu
