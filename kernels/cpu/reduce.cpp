#include "uncial/kernels/reduce.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "simd/reduce_simd.h"
#include "strided_loop.h"

namespace uncial::cpu {
namespace {

using kernels::Extreme;
using kernels::ReduceShape;

constexpr int64_t kBlock = 1 << 14;  // elements of x behind one partial sum; part of the fixed tree
constexpr int64_t kColumns = 256;    // columns summed together: their partial sums stay in L1

template <class T, class A>
void add_rows(const T* x, int64_t rows, int64_t stride, int64_t cols, A* sums) {
  if constexpr (std::is_same_v<T, float>) {
    if (cols == 1 && stride == 1)
      *sums += reduce_simd().sum(x, rows);
    else
      reduce_simd().add_rows(x, rows, stride, cols, sums);
  } else {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < cols; ++i) sums[i] += A(x[r * stride + i]);
  }
}

/// How x (outer, n, inner) is cut: `strips` strips of columns, each `blocks` blocks of rows.
struct Cut {
  int64_t strips, columns, blocks, rows;
  explicit Cut(ReduceShape s)
      : strips(ceil_div(s.inner, kColumns)),
        columns(std::min(s.inner, kColumns)),
        blocks(1),
        rows(std::max<int64_t>(1, kBlock / std::max<int64_t>(columns, 1))) {
    blocks = std::max<int64_t>(1, ceil_div(s.n, rows));
  }
};

/// Sums a short axis without partial sums in memory: a task takes several outputs.
template <class T>
void sum_short(const T* x, typename kernels::SumOf<T>::Result* y, ReduceShape s, const Cut& cut) {
  using A = typename kernels::SumOf<T>::Accumulator;
  const int64_t work = std::max<int64_t>(1, s.n * cut.columns);
  parallel_blocks(s.outer * cut.strips, std::max<int64_t>(1, kElementGrain / work),
                  [&](int64_t begin, int64_t end) {
                    A sums[kColumns];
                    for (int64_t task = begin; task < end; ++task) {
                      const int64_t o = task / cut.strips, left = task % cut.strips * kColumns;
                      const int64_t cols = std::min(kColumns, s.inner - left);
                      std::fill_n(sums, cols, A(0));
                      add_rows(x + o * s.n * s.inner + left, s.n, s.inner, cols, sums);
                      for (int64_t i = 0; i < cols; ++i)
                        y[o * s.inner + left + i] = typename kernels::SumOf<T>::Result(sums[i]);
                    }
                  });
}

/// Sums a long axis in blocks of rows, then the blocks in order.
template <class T>
void sum_long(const T* x, typename kernels::SumOf<T>::Result* y, ReduceShape s, const Cut& cut) {
  using A = typename kernels::SumOf<T>::Accumulator;
  const int64_t width = s.outer * s.inner;
  std::vector<A> partial(size_t(width * cut.blocks), A(0));
  parallel_for(s.outer * cut.strips * cut.blocks, [&](int64_t task) {
    const int64_t block = task % cut.blocks, strip = task / cut.blocks % cut.strips,
                  o = task / cut.blocks / cut.strips;
    const int64_t left = strip * kColumns, top = block * cut.rows;
    add_rows(x + (o * s.n + top) * s.inner + left, std::min(cut.rows, s.n - top), s.inner,
             std::min(kColumns, s.inner - left), partial.data() + block * width + o * s.inner + left);
  });
  for (int64_t block = 1; block < cut.blocks; ++block)
    for (int64_t i = 0; i < width; ++i) partial[size_t(i)] += partial[size_t(block * width + i)];
  for (int64_t i = 0; i < width; ++i) y[i] = typename kernels::SumOf<T>::Result(partial[size_t(i)]);
}

template <Extreme which, class T>
bool beats(T candidate, T best) {
  // The first NaN stays: nothing beats it, and it beats every number.
  if (candidate != candidate) return best == best;
  return which == Extreme::max ? candidate > best : candidate < best;
}

template <Extreme which, class T>
void extreme(const T* x, T* y, int64_t* index, ReduceShape s) {
  parallel_blocks(s.outer * s.inner, std::max<int64_t>(1, kElementGrain / std::max<int64_t>(s.n, 1)),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                      const T* in = x + i / s.inner * s.n * s.inner + i % s.inner;
                      int64_t best = 0;
                      for (int64_t k = 1; k < s.n; ++k)
                        if (beats<which>(in[k * s.inner], in[best * s.inner])) best = k;
                      index[i] = best;
                      if (y) y[i] = in[best * s.inner];
                    }
                  });
}

}  // namespace

template <class T>
void reduce_sum(const T* x, typename kernels::SumOf<T>::Result* y, ReduceShape s) {
  const Cut cut(s);
  if (cut.blocks > 1)
    sum_long(x, y, s, cut);
  else
    sum_short(x, y, s, cut);
}

template <class T>
void reduce_extreme(Extreme which, const T* x, T* y, int64_t* index, ReduceShape s) {
  if (which == Extreme::max)
    extreme<Extreme::max>(x, y, index, s);
  else
    extreme<Extreme::min>(x, y, index, s);
}

#define UNCIAL_INSTANTIATE(T)                                                              \
  template void reduce_sum<T>(const T*, typename kernels::SumOf<T>::Result*, ReduceShape); \
  template void reduce_extreme<T>(Extreme, const T*, T*, int64_t*, ReduceShape);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
UNCIAL_INSTANTIATE(int64_t)
UNCIAL_INSTANTIATE(int32_t)
UNCIAL_INSTANTIATE(uint8_t)
UNCIAL_INSTANTIATE(bool)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cpu
