#include "uncial/kernels/index.h"

#include "grid.h"

namespace uncial::cuda {
namespace {

using kernels::ReduceShape;

/// indices[i] in [0, n), negative ones counted from the end; one outside is noted, and counts as 0.
struct Indices {
  const int64_t* indices;
  int64_t n;
  Fault* fault;
  UNCIAL_BODY int64_t operator[](int64_t i) const {
    const int64_t index = indices[i];
    if (index >= -n && index < n) return index < 0 ? index + n : index;
    note(fault, {kIndex, 0, index, i, n});
    return 0;
  }
};

}  // namespace

template <class T>
void gather(const T* x, const int64_t* indices, int64_t count, T* y, ReduceShape s) {
  const Indices index{indices, s.n, fault_place()};
  if (s.n == 0) return;
  each(
      s.outer * count * s.inner,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t row = i / s.inner;
        y[i] = x[(row / count * s.n + index[row % count]) * s.inner + i % s.inner];
      },
      "gather");
}

/// One thread an element of x, which looks for its index among all of them: so additions keep their order.
template <class T>
void scatter_add(const T* dy, const int64_t* indices, int64_t count, T* x, ReduceShape s) {
  const Indices index{indices, s.n, fault_place()};
  each(
      s.outer * s.n * s.inner,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t column = i % s.inner, mine = i / s.inner % s.n, o = i / s.inner / s.n;
        T sum = 0;
        for (int64_t k = 0; k < count; ++k)
          if (index[k] == mine) sum += dy[(o * count + k) * s.inner + column];
        x[i] = sum;
      },
      "gather_backward");
}

template <class T>
void take_along(const T* x, const int64_t* index, T* y, ReduceShape s) {
  each(
      s.outer * s.inner,
      [=] UNCIAL_BODY(int64_t i) { y[i] = x[(i / s.inner * s.n + index[i]) * s.inner + i % s.inner]; },
      "take_along");
}

template <class T>
void put_along(const T* dy, const int64_t* index, T* x, ReduceShape s) {
  each(
      s.outer * s.n * s.inner,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t from = i / s.inner / s.n * s.inner + i % s.inner;
        x[i] = index[from] == i / s.inner % s.n ? dy[from] : T(0);
      },
      "put_along");
}

template <class T>
void one_hot(const int64_t* indices, int64_t count, int64_t classes, T* y) {
  Fault* fault = fault_place();
  each(
      count * classes,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t row = i / classes, index = indices[row];
        if (index < 0 || index >= classes) note(fault, {kOneHotIndex, 0, index, row, classes});
        y[i] = T(index == i % classes);
      },
      "one_hot");
}

#define UNCIAL_INSTANTIATE(T)                                                  \
  template void gather<T>(const T*, const int64_t*, int64_t, T*, ReduceShape); \
  template void one_hot<T>(const int64_t*, int64_t, int64_t, T*);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
UNCIAL_INSTANTIATE(int64_t)
UNCIAL_INSTANTIATE(int32_t)
UNCIAL_INSTANTIATE(uint8_t)
UNCIAL_INSTANTIATE(bool)
#undef UNCIAL_INSTANTIATE
#define UNCIAL_INSTANTIATE(T)                                                       \
  template void scatter_add<T>(const T*, const int64_t*, int64_t, T*, ReduceShape); \
  template void take_along<T>(const T*, const int64_t*, T*, ReduceShape);           \
  template void put_along<T>(const T*, const int64_t*, T*, ReduceShape);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cuda
