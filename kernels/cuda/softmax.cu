#include "uncial/kernels/softmax.h"

#include "grid.h"
#include "uncial/kernels/math.h"

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

/// What one element becomes, given the largest of its line and the sum of e^(x - largest).
template <bool kLog, class T>
struct Normaliser {
  T largest;
  double sum;
  T log_sum;
  UNCIAL_BODY Normaliser(T m, double s) : largest(m), sum(s), log_sum(kLog ? T(math::log(s)) : T(0)) {}
  UNCIAL_BODY T operator()(T x) const {
    const T above = x - largest;
    return kLog ? above - log_sum : T(double(math::exp(above)) / sum);
  }
};

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
template <bool kLog, class T>
void short_rows(const T* x, T* y, int64_t rows, int64_t classes, const char* what) {
  const int64_t stride = classes | 1;  // odd: threads that stand at the same column meet in no bank
  const Divider width(classes);
  each_block(
      ceil_div(rows, int64_t(kLinesOfBlock)), kLinesOfBlock, kLinesOfBlock * stride * int64_t(sizeof(T)),
      [=] UNCIAL_BODY(const Block& block) {
        T* line = block.memory<T>();
        const int64_t first = block.index * kLinesOfBlock;
        const int count = int(rows - first < kLinesOfBlock ? rows - first : kLinesOfBlock);
        const int values = count * int(classes);
        const auto place = [&](int i) {
          const int row = width.quotient(i);
          return row * stride + width.remainder(i, row);
        };
        move_ahead(
            block, values, [&](int i) { return x[first * classes + i]; },
            [&](int i, T value) { line[place(i)] = value; });
        block.each_thread([&](int t) {
          if (t < count) line_of_thread<kLog>(line + t * stride, line + t * stride, classes, 1);
        });
        block.each_thread([&](int t) {
          for (int i = t; i < values; i += block.threads) y[first * classes + i] = line[place(i)];
        });
      },
      what);
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
