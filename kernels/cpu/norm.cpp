#include "uncial/kernels/norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "simd/norm_plane.h"
#include "uncial/core/parallel.h"

// A task is one channel: its values stay in the second-level cache between the passes over them, and no sum
// crosses a task, so that the number of threads cannot matter.

namespace uncial::cpu {
namespace {

constexpr int64_t kShortRun = 32;    // a few vectors; below, a channel is packed into one run
constexpr int64_t kChunk = 1 << 12;  // float lanes add up at most this many values before double takes over

/// One channel as `count` runs of `length` neighbouring values, `step` apart.
template <class T>
struct Runs {
  T* data;
  int64_t count, length, step;
};

template <class T>
Runs<T> runs_of(T* x, const NormExtents& e, int64_t c) {
  return {x + c * e.L, e.N, e.L, e.C * e.L};
}

template <class T>
Runs<T> one_run(std::vector<T>& memory, const NormExtents& e) {
  memory.resize(size_t(e.N * e.L));
  return {memory.data(), 1, e.N * e.L, 0};
}

/// Channel c of x for reading; short runs are copied side by side into `memory`.
template <class T>
Runs<const T> read(const T* x, const NormExtents& e, int64_t c, std::vector<T>& memory) {
  if (e.L >= kShortRun) return runs_of(x, e, c);
  const Runs<T> packed = one_run(memory, e);
  for (int64_t n = 0; n < e.N; ++n) std::copy_n(x + (n * e.C + c) * e.L, e.L, packed.data + n * e.L);
  return {packed.data, packed.count, packed.length, packed.step};
}

/// Channel c of y for writing; finish() with the same arguments puts packed runs in their places.
template <class T>
Runs<T> write(T* y, const NormExtents& e, int64_t c, std::vector<T>& memory) {
  return e.L >= kShortRun ? runs_of(y, e, c) : one_run(memory, e);
}
template <class T>
void finish(T* y, const NormExtents& e, int64_t c, const std::vector<T>& memory) {
  if (e.L >= kShortRun) return;
  for (int64_t n = 0; n < e.N; ++n) std::copy_n(memory.data() + n * e.L, e.L, y + (n * e.C + c) * e.L);
}

/// Calls body(offset, length) for chunks of all runs of one channel, always in the same order.
template <class T, class Body>
void for_chunks(const Runs<T>& x, const Body& body) {
  for (int64_t r = 0; r < x.count; ++r)
    for (int64_t i = 0; i < x.length; i += kChunk) body(r, i, std::min(kChunk, x.length - i));
}

/// Calls body(c) for all channels in parallel; tiny ones are grouped.
template <class Body>
void for_channels(const NormExtents& e, const Body& body) {
  constexpr int64_t kGrain = 1 << 14;  // values
  parallel_blocks(e.C, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, e.N * e.L)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t c = begin; c < end; ++c) body(c);
                  });
}

template <class T>
void normalise(const Runs<const T>& x, T mean, T factor, T shift, const Runs<T>& y) {
  for_chunks(x, [&](int64_t r, int64_t i, int64_t n) {
    norm_plane<T>().affine(x.data + r * x.step + i, mean, factor, shift, y.data + r * y.step + i, n);
  });
}

}  // namespace

template <class T>
void batch_norm(const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean, T* variance,
                NormExtents e) {
  const double count = double(e.N * e.L);
  for_channels(e, [&](int64_t c) {
    std::vector<T> x_memory, y_memory;
    const Runs<const T> in = read(x, e, c, x_memory);
    double sum = 0, squares = 0;
    for_chunks(in, [&](int64_t r, int64_t i, int64_t n) {
      sum += norm_plane<T>().sum(in.data + r * in.step + i, n);
    });
    const T centre = T(sum / count);
    for_chunks(in, [&](int64_t r, int64_t i, int64_t n) {
      squares += norm_plane<T>().squares(in.data + r * in.step + i, centre, n);
    });
    mean[c] = centre;
    variance[c] = T(squares / count);
    normalise(in, centre, T(double(scale[c]) / std::sqrt(double(variance[c]) + epsilon)), shift[c],
              write(y, e, c, y_memory));
    finish(y, e, c, y_memory);
  });
}

template <class T>
void batch_norm_inference(const T* x, const T* scale, const T* shift, const T* mean, const T* variance,
                          double epsilon, T* y, NormExtents e) {
  for_channels(e, [&](int64_t c) {
    std::vector<T> x_memory, y_memory;
    normalise(read(x, e, c, x_memory), mean[c],
              T(double(scale[c]) / std::sqrt(double(variance[c]) + epsilon)), shift[c],
              write(y, e, c, y_memory));
    finish(y, e, c, y_memory);
  });
}

template <class T>
void batch_norm_backward(const T* dy, const T* x, const T* scale, const T* mean, const T* variance,
                         double epsilon, T* dx, T* dscale, T* dshift, NormExtents e) {
  const double count = double(e.N * e.L);
  for_channels(e, [&](int64_t c) {
    std::vector<T> dy_memory, x_memory, dx_memory;
    const Runs<const T> g = read(dy, e, c, dy_memory), in = read(x, e, c, x_memory);
    double sum_dy = 0, sum_dy_x = 0;
    for_chunks(in, [&](int64_t r, int64_t i, int64_t n) {
      double sums[2];
      norm_plane<T>().gradient_sums(g.data + r * g.step + i, in.data + r * in.step + i, mean[c], n, sums);
      sum_dy += sums[0];
      sum_dy_x += sums[1];
    });
    const double inverse = 1 / std::sqrt(double(variance[c]) + epsilon);
    dshift[c] = T(sum_dy);
    dscale[c] = T(sum_dy_x * inverse);
    const T dy_mean = T(sum_dy / count), slope = T(sum_dy_x * inverse * inverse / count);
    const Runs<T> out = write(dx, e, c, dx_memory);
    for_chunks(in, [&](int64_t r, int64_t i, int64_t n) {
      norm_plane<T>().gradient(g.data + r * g.step + i, in.data + r * in.step + i, mean[c], dy_mean, slope,
                               T(double(scale[c]) * inverse), out.data + r * out.step + i, n);
    });
    finish(dx, e, c, dx_memory);
  });
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

}  // namespace uncial::cpu
