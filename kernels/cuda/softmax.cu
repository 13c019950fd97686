#include "uncial/kernels/softmax.h"

#include "held_line.h"

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

/// A line of shared memory by one thread, in its place, kStep elements at once. Exponentials lie there until
/// their sum is known.
template <bool kLog, int kStep, class T>
UNCIAL_BODY void line_in_place(T* line, int count) {
  struct alignas(kStep * sizeof(T)) Few {
    T v[kStep];
  };
  auto* few = reinterpret_cast<Few*>(line);
  T m = -T(__builtin_inff());
  for (int k = 0; k < count / kStep; ++k)
    for (const Few now = few[k]; const T v : now.v) m = m < v ? v : m;
  double sum = 0;
  for (int k = 0; k < count / kStep; ++k) {
    Few now = few[k];
    T part = 0;
    for (T& v : now.v) {
      const T e = math::exp(v - m);
      part += e;
      if (!kLog) v = e;
    }
    sum += double(part);
    if (!kLog) few[k] = now;
  }
  const Normaliser<kLog, T> normalise(m, sum);
  for (int k = 0; k < count / kStep; ++k) {
    Few now = few[k];
    for (T& v : now.v) v = kLog ? normalise(v) : normalise.of_exponential(v);
    few[k] = now;
  }
}

/// The line y = x[0], x[step], ... by one thread.
template <bool kLog, class T>
UNCIAL_BODY void line_of_thread(const T* x, T* y, int64_t count, int64_t step) {
  T m = -T(__builtin_inff());
  for (int64_t k = 0; k < count; ++k) m = m < x[k * step] ? x[k * step] : m;
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += double(math::exp(x[k * step] - m));
  const Normaliser<kLog, T> normalise(m, sum);
  for (int64_t k = 0; k < count; ++k) y[k * step] = normalise(x[k * step]);
}

constexpr int64_t kShortLine = 32;  // of a thread's own
constexpr int kLinesOfBlock = 128;

/// Lines whose elements are neighbours go through shared memory, so that a warp reads and writes neighbours.
/// With few common factors with the number of banks they lie there as in memory, and move as quads.
template <bool kLog, class T>
struct ShortRows {
  const T* x;
  T* y;
  int64_t rows;
  int classes;
  bool as_in_memory;
  int stride;  ///< odd where not that of memory: threads at the same column meet in no bank
  Divider width;

  ShortRows(const T* from, T* to, int64_t outer, int64_t count)
      : x(from),
        y(to),
        rows(outer),
        classes(int(count)),
        as_in_memory(count % 4 != 0 && all_aligned(from, to)),
        stride(as_in_memory ? classes : classes | 1),
        width(count) {}
  UNCIAL_BODY int place(int i) const {
    const int row = width.quotient(i);
    return row * stride + width.remainder(i, row);
  }
  UNCIAL_BODY void operator()(const Block& block) const {
    T* lines = block.memory<T>();
    const int64_t first = block.index * kLinesOfBlock;
    const int count = int(rows - first < kLinesOfBlock ? rows - first : kLinesOfBlock);
    const int values = count * classes;
    const bool quads = as_in_memory && count == kLinesOfBlock;
    const T* from = x + first * classes;
    T* to = y + first * classes;
    block.each_thread([&](int t) {
      if (quads)
        walk_rounds<4>(
            t, block.threads, values / 4, [&](int i) { return Quad<T>::load(from + 4 * i); },
            [&](int i, const Quad<T>& quad) { reinterpret_cast<Quad<T>*>(lines)[i] = quad; });
      else
        walk_ahead(
            t, block.threads, values, [&](int i) { return from[i]; },
            [&](int i, T value) { lines[place(i)] = value; });
    });
    block.each_thread([&](int t) {
      if (t >= count) return;
      // Pairs of ten classes lie in different banks, single elements two in one.
      if (stride % 2 == 0)
        line_in_place<kLog, 2>(lines + t * stride, classes);
      else
        line_in_place<kLog, 1>(lines + t * stride, classes);
    });
    block.each_thread([&](int t) {
      if (quads)
        for (int i = t; i < values / 4; i += block.threads)
          reinterpret_cast<const Quad<T>*>(lines)[i].store(to + 4 * i);
      else
        for (int i = t; i < values; i += block.threads) to[i] = lines[place(i)];
    });
  }
};

template <bool kLog, class T>
void short_rows(const T* x, T* y, int64_t rows, int64_t classes, const char* what) {
  const ShortRows<kLog, T> body(x, y, rows, classes);
  each_block(ceil_div(rows, int64_t(kLinesOfBlock)), kLinesOfBlock,
             kLinesOfBlock * body.stride * int64_t(sizeof(T)), body, what);
}

/// Lines that lie side by side: neighbouring threads read neighbours.
template <bool kLog, class T>
void lines_of_threads(const T* x, T* y, const SoftmaxExtents& e, const char* what) {
  each(
      e.outer * e.inner,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t first = i / e.inner * e.classes * e.inner + i % e.inner;
        line_of_thread<kLog>(x + first, y + first, e.classes, e.inner);
      },
      what);
}

template <bool kLog, class T>
void held_lines(const T* x, T* y, int64_t lines, int64_t count, const char* what) {
  const HeldLine<kLog, T> line{x, y, int(count), count % 4 == 0 && all_aligned(x, y)};
  if (count <= OfWarp::kLongest)
    return each_block<OfWarp::kThreads>(
        ceil_div(lines, int64_t(OfWarp::kWarps)), OfWarp::kThreads, 0,
        [=] UNCIAL_BODY(const Block& block) {
          PerThread<typename HeldLine<kLog, T>::template Held<OfWarp>, OfWarp::kThreads> held;
          each_warp_without_waiting(block, [&](const Warp& warp) {
            const int64_t number = block.index * OfWarp::kWarps + warp.index;
            if (number < lines) line.run(OfWarp{warp}, number, held);
          });
        },
        what);
  each_block<OfBlock::kThreads>(
      lines, threads_for(ceil_div(count, int64_t(4 * OfBlock::kQuads)), OfBlock::kThreads), 0,
      [=] UNCIAL_BODY(const Block& block) {
        PerThread<typename HeldLine<kLog, T>::template Held<OfBlock>, OfBlock::kThreads> held;
        line.run(OfBlock{block}, block.index, held);
      },
      what);
}

template <bool kLog, class T>
void lines_of_blocks(const T* x, T* y, const SoftmaxExtents& e, const char* what) {
  each_block(
      e.outer * e.inner, threads_for(e.classes), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t first = block.index / e.inner * e.classes * e.inner + block.index % e.inner;
        const Line<T> line{x + first, e.classes, e.inner};
        const T m = line.largest(block);
        const Normaliser<kLog, T> normalise(m, line.sum(block, m));
        block.each_thread([&](int t) {
          for (int64_t k = t; k < e.classes; k += block.threads)
            y[first + k * e.inner] = normalise(x[first + k * e.inner]);
        });
      },
      what);
}

template <bool kLog, class T>
void lines(const T* x, T* y, const SoftmaxExtents& e, const char* what) {
  if (e.inner == 1 && e.classes <= kShortLine) return short_rows<kLog>(x, y, e.outer, e.classes, what);
  if (e.inner == 1 && e.classes <= OfBlock::kLongest) return held_lines<kLog>(x, y, e.outer, e.classes, what);
  if (e.inner >= kWarp || e.classes <= kShortLine) return lines_of_threads<kLog>(x, y, e, what);
  lines_of_blocks<kLog>(x, y, e, what);
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
