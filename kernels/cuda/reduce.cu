#include "uncial/kernels/reduce.h"

#include <type_traits>

#include "vectors.h"

// Sums are cut into pieces by the extents alone and added by a fixed tree, so they have the same bits on
// every run.

namespace uncial::cuda {
namespace {

using kernels::Extreme;
using kernels::ReduceShape;

constexpr int64_t kPiece = 1 << 13;  // elements of one sum that a block or thread adds up

/// The sum of neighbouring values by a block; whole: of whole vectors, 16 bytes at once.
template <class A, class T>
UNCIAL_BODY A sum_of_run(const Block& block, const T* from, int count, bool whole) {
  return block.sum<A>([&](int t) {
    A sum = 0;
    if (whole)
      walk_rounds<8>(
          t, block.threads, count / Vector<T>::kValues,
          [&](int i) { return reinterpret_cast<const Vector<T>*>(from)[i]; },
          [&](int, const Vector<T>& vector) {
            UNCIAL_UNROLL
            for (const T& value : vector.v) sum += A(value);
          });
    else
      walk_ahead(
          t, block.threads, count, [&](int i) { return from[i]; }, [&](int, T value) { sum += A(value); });
    return sum;
  });
}

/// One block an output and piece, for sums whose elements are neighbours: partial[outer][piece].
template <class T, class A, class R>
void sum_runs(const T* x, R* y, int64_t outer, int64_t n, int64_t pieces) {
  const bool aligned = n % Vector<T>::kValues == 0 && all_aligned(x);
  each_block(
      outer * pieces, threads_for(n < kPiece ? n : kPiece), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t o = pieces == 1 ? block.index : block.index / pieces,
                      begin = (block.index - o * pieces) * kPiece,
                      count = n - begin < kPiece ? n - begin : kPiece;
        const A total = sum_of_run<A>(block, x + o * n + begin, int(count), aligned);
        block.each_thread([&](int t) {
          if (t == 0) y[block.index] = R(total);
        });
      },
      "reduce_sum");
}

/// One thread a column and piece of `rows` rows.
template <class T, class A, class R>
void sum_columns(const T* x, R* y, ReduceShape s, int64_t rows, int64_t pieces) {
  const int64_t width = s.outer * s.inner;
  each(
      width * pieces,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t column = i % width, begin = i / width * rows,
                      end = begin + rows < s.n ? begin + rows : s.n;
        const T* from = x + column / s.inner * s.n * s.inner + column % s.inner;
        A sum = 0;
        walk_ahead(
            0, 1, end - begin, [&](int64_t r) { return from[(begin + r) * s.inner]; },
            [&](int64_t, T value) { sum += A(value); });
        y[i] = R(sum);
      },
      "reduce_sum");
}

/// y (width) = the sums over pieces of partial (pieces, width), in order.
template <class A, class R>
void add_pieces(const A* partial, R* y, int64_t width, int64_t pieces) {
  each(
      width,
      [=] UNCIAL_BODY(int64_t i) {
        A sum = 0;
        for (int64_t p = 0; p < pieces; ++p) sum += partial[p * width + i];
        y[i] = R(sum);
      },
      "reduce_sum");
}

/// y (outer) = the sums over pieces of partial (outer, pieces), a block each.
template <class A, class R>
void add_runs(const A* partial, R* y, int64_t outer, int64_t pieces) {
  each_block<kMaxThreads>(
      outer, threads_for(pieces, kMaxThreads), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const A total = block.sum<A>([&](int t) {
          A sum = 0;
          walk_ahead(
              t, block.threads, pieces, [&](int64_t p) { return partial[block.index * pieces + p]; },
              [&](int64_t, A value) { sum += value; });
          return sum;
        });
        block.each_thread([&](int t) {
          if (t == 0) y[block.index] = R(total);
        });
      },
      "reduce_sum");
}

template <class T>
struct Best {
  T value;
  int64_t index;  ///< -1: none yet
};

/// The better of two, the first among equals; a NaN beats every number.
template <Extreme which, class T>
UNCIAL_BODY Best<T> better(const Best<T>& a, const Best<T>& b) {
  if (a.index < 0) return b;
  if (b.index < 0) return a;
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan ? a : b;
  const bool a_wins = which == Extreme::max ? a.value > b.value : a.value < b.value,
             b_wins = which == Extreme::max ? b.value > a.value : b.value < a.value;
  if (!a_nan && a_wins != b_wins) return a_wins ? a : b;
  return a.index < b.index ? a : b;
}

template <Extreme which, class T>
void extreme(const T* x, T* y, int64_t* index, ReduceShape s) {
  // Small types travel between threads as whole words.
  using V = std::conditional_t<(sizeof(T) < 4), int32_t, T>;
  each_block(
      s.outer * s.inner, threads_for(s.n), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const T* from = x + block.index / s.inner * s.n * s.inner + block.index % s.inner;
        const Best<V> best = block.reduce(
            Best<V>{V(), -1},
            [&](int t) {
              Best<V> mine{V(), -1};
              for (int64_t k = t; k < s.n; k += block.threads)
                mine = better<which>(mine, Best<V>{V(from[k * s.inner]), k});
              return mine;
            },
            [](const Best<V>& a, const Best<V>& b) { return better<which>(a, b); });
        block.each_thread([&](int t) {
          if (t != 0) return;
          index[block.index] = best.index;
          if (y) y[block.index] = T(best.value);
        });
      },
      "reduce_extreme");
}

}  // namespace

template <class T>
void reduce_sum(const T* x, typename kernels::SumOf<T>::Result* y, ReduceShape s) {
  using A = typename kernels::SumOf<T>::Accumulator;
  using R = typename kernels::SumOf<T>::Result;
  const int64_t width = s.outer * s.inner;
  const bool runs = s.inner == 1 && s.n >= kWarp;
  // Columns are added by as many threads as make some work for all of a GPU.
  const int64_t rows = runs ? kPiece : s.n > 64 && width < (1 << 15) ? 64 : s.n > 0 ? s.n : 1;
  const int64_t pieces = s.n > rows ? ceil_div(s.n, rows) : 1;
  if (pieces == 1) return runs ? sum_runs<T, A>(x, y, s.outer, s.n, 1) : sum_columns<T, A>(x, y, s, rows, 1);
  const Temporary partial(width * pieces * int64_t(sizeof(A)));
  if (runs) {
    sum_runs<T, A>(x, partial.as<A>(), s.outer, s.n, pieces);
    add_runs<A, R>(partial.as<A>(), y, s.outer, pieces);
  } else {
    sum_columns<T, A>(x, partial.as<A>(), s, rows, pieces);
    add_pieces<A, R>(partial.as<A>(), y, width, pieces);
  }
}

template <class T>
void reduce_extreme(Extreme which, const T* x, T* y, int64_t* index, ReduceShape s) {
  which == Extreme::max ? extreme<Extreme::max>(x, y, index, s) : extreme<Extreme::min>(x, y, index, s);
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

}  // namespace uncial::cuda
