#include "uncial/kernels/pool.h"

#include "vectors.h"

// One thread an element of what is written, but for the common windows of 2x2. Gradients are gathered: a
// thread looks at all windows that see its place, in order, so no sum depends on which thread comes first.

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
  const int64_t size = planes * rows * columns;
  if (size == 0) return;
  const IndexDivider by_row(columns, size), by_plane(rows, planes * rows);
  each(
      size,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t row = by_row.quotient(i), plane = by_plane.quotient(row);
        body(plane, row - plane * rows, i - row * columns, i);
      },
      what);
}

/// Windows of 2x2 side by side, none cut off, in rows of whole quads: planes are rows of windows then, and
/// two windows are a quad of each of two rows.
template <class... Pointers>
bool in_pairs(const PoolExtents& e, Pointers... images) {
  return e.kernel == 2 && e.stride == 2 && e.padding == 0 && e.H % 2 == 0 && e.W % 4 == 0 &&
         all_aligned(images...);
}

template <class T>
struct WindowPair {
  Quad<T> top, bottom;
  /// The first largest of window w, 0 or 1; the first NaN counts as largest.
  UNCIAL_BODY int winner(int w) const {
    int best = 0;
    UNCIAL_UNROLL
    for (int k = 1; k < 4; ++k)
      if (at(w, k) > at(w, best) || (at(w, k) != at(w, k) && at(w, best) == at(w, best))) best = k;
    return best;
  }
  UNCIAL_BODY T at(int w, int k) const {
    const T a = w == 0 ? top.v[0] : top.v[2], b = w == 0 ? top.v[1] : top.v[3],
            c = w == 0 ? bottom.v[0] : bottom.v[2], d = w == 0 ? bottom.v[1] : bottom.v[3];
    return k == 0 ? a : k == 1 ? b : k == 2 ? c : d;
  }
  UNCIAL_BODY T sum(int w) const { return ((at(w, 0) + at(w, 1)) + at(w, 2)) + at(w, 3); }
};
template <class T>
struct alignas(2 * sizeof(T)) PairOf {
  T v[2];
};

/// A thread takes kPairs pairs of windows, whose loads are under way together.
constexpr int kPairThreads = 256, kPairs = 4;

/// use(i, window pair i, where it begins) for all pairs.
template <class T, class Use>
void each_pair_of_windows(const T* x, const PoolExtents& e, Use use, const char* what) {
  const int64_t across = e.W / 4, pairs = e.planes * e.P * across;
  if (pairs == 0) return;
  const IndexDivider by_row(across, pairs);
  const int64_t W = e.W;
  each_block<kPairThreads>(
      ceil_div(pairs, kPairThreads * kPairs), kPairThreads, 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t first = block.index * kPairThreads * kPairs;
        const auto begin = [&](int64_t i) {
          const int64_t row = by_row.quotient(i);
          return row * 2 * W + (i - row * across) * 4;
        };
        block.each_thread([&](int t) {
          walk_ahead<kPairs>(
              t, kPairThreads,
              pairs - first < kPairThreads * kPairs ? int(pairs - first) : kPairThreads * kPairs,
              [&](int i) {
                const T* from = x + begin(first + i);
                return WindowPair<T>{Quad<T>::load(from), Quad<T>::load(from + W)};
              },
              [&](int i, const WindowPair<T>& pair) { use(first + i, pair, begin(first + i)); });
        });
      },
      what);
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
  if (!in_pairs(e, x, y)) return max_pool_gather<T>(x, x, y, e);
  each_pair_of_windows(
      x, e,
      [=] UNCIAL_BODY(int64_t i, const WindowPair<T>& pair, int64_t) {
        reinterpret_cast<PairOf<T>*>(y)[i] = {{pair.at(0, pair.winner(0)), pair.at(1, pair.winner(1))}};
      },
      "max_pool");
}
template <class T>
void max_pool_gather(const T* values, const T* x, T* y, PoolExtents e) {
  each_place(e.planes, e.P, e.Q, MaxGather<T>{values, x, y, e}, "max_pool");
}
template <class T>
void max_pool_scatter(const T* dy, const T* x, T* dx, PoolExtents e) {
  if (in_pairs(e, x, dy, dx)) {
    const int64_t W = e.W;
    return each_pair_of_windows(
        x, e,
        [=] UNCIAL_BODY(int64_t i, const WindowPair<T>& pair, int64_t begin) {
          const PairOf<T> d = reinterpret_cast<const PairOf<T>*>(dy)[i];
          const int a = pair.winner(0), b = pair.winner(1);
          const T none = T(0);
          Quad<T>{{a == 0 ? d.v[0] : none, a == 1 ? d.v[0] : none, b == 0 ? d.v[1] : none,
                   b == 1 ? d.v[1] : none}}
              .store(dx + begin);
          Quad<T>{{a == 2 ? d.v[0] : none, a == 3 ? d.v[0] : none, b == 2 ? d.v[1] : none,
                   b == 3 ? d.v[1] : none}}
              .store(dx + begin + W);
        },
        "max_pool_backward");
  }
  each_place(e.planes, e.H, e.W, MaxScatter<T>{dy, x, dx, e}, "max_pool_backward");
}
template <class T>
void avg_pool(const T* x, T* y, PoolExtents e) {
  if (in_pairs(e, x, y))
    return each_pair_of_windows(
        x, e,
        [=] UNCIAL_BODY(int64_t i, const WindowPair<T>& pair, int64_t) {
          reinterpret_cast<PairOf<T>*>(y)[i] = {{pair.sum(0) / T(4), pair.sum(1) / T(4)}};
        },
        "avg_pool");
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
