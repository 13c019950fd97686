#include "uncial/kernels/index.h"

#include <algorithm>
#include <cstring>

#include "strided_loop.h"

namespace uncial::cpu {
namespace {

using kernels::ReduceShape;

void check_indices(const int64_t* indices, int64_t count, int64_t low, int64_t high, const char* what) {
  for (int64_t i = 0; i < count; ++i)
    require(indices[i] >= low && indices[i] < high, what, ": index ", indices[i], " at position ", i,
            " is outside [", low, ", ", high, ").");
}

int64_t wrapped(int64_t index, int64_t n) { return index < 0 ? index + n : index; }

}  // namespace

template <class T>
void gather(const T* x, const int64_t* indices, int64_t count, T* y, ReduceShape s) {
  check_indices(indices, count, -s.n, s.n, "gather");
  parallel_blocks(s.outer * count, std::max<int64_t>(1, kElementGrain / std::max<int64_t>(s.inner, 1)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) {
                      const int64_t from = row / count * s.n + wrapped(indices[row % count], s.n);
                      std::copy_n(x + from * s.inner, s.inner, y + row * s.inner);
                    }
                  });
}

/// Rows that meet at one index are added in the order of the indices, so only `outer` is split.
template <class T>
void scatter_add(const T* dy, const int64_t* indices, int64_t count, T* x, ReduceShape s) {
  check_indices(indices, count, -s.n, s.n, "gather");
  const int64_t slab = s.n * s.inner;
  parallel_blocks(s.outer, std::max<int64_t>(1, kElementGrain / std::max<int64_t>(slab, 1)),
                  [&](int64_t begin, int64_t end) {
                    std::fill(x + begin * slab, x + end * slab, T(0));
                    for (int64_t o = begin; o < end; ++o)
                      for (int64_t i = 0; i < count; ++i) {
                        T* to = x + (o * s.n + wrapped(indices[i], s.n)) * s.inner;
                        const T* from = dy + (o * count + i) * s.inner;
                        for (int64_t k = 0; k < s.inner; ++k) to[k] += from[k];
                      }
                  });
}

template <class T>
void take_along(const T* x, const int64_t* index, T* y, ReduceShape s) {
  parallel_blocks(s.outer * s.inner, kElementGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = x[(i / s.inner * s.n + index[i]) * s.inner + i % s.inner];
  });
}

template <class T>
void put_along(const T* dy, const int64_t* index, T* x, ReduceShape s) {
  std::fill_n(x, s.outer * s.n * s.inner, T(0));
  parallel_blocks(s.outer * s.inner, kElementGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) x[(i / s.inner * s.n + index[i]) * s.inner + i % s.inner] = dy[i];
  });
}

template <class T>
void one_hot(const int64_t* indices, int64_t count, int64_t classes, T* y) {
  check_indices(indices, count, 0, classes, "one_hot");
  std::fill_n(y, count * classes, T(0));
  for (int64_t i = 0; i < count; ++i) y[i * classes + indices[i]] = T(1);
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

}  // namespace uncial::cpu
