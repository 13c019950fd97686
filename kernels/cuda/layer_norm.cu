// A row is a block's, which reads it once from memory and then from its caches; sums for scale and shift are
// columns', cut into pieces of rows.

#include "uncial/kernels/layer_norm.h"

#include <algorithm>

#include "grid.h"
#include "two_sums.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {
namespace {

constexpr int kAhead = 4;  // loads of a thread under way

template <class T>
struct NormaliseRow {
  const T *x, *scale, *shift;
  double epsilon;
  T *y, *mean, *inverse;
  int64_t D;

  UNCIAL_BODY void operator()(const Block& block) const {
    const int64_t first = block.index * D;
    const auto value = [&](int64_t i) { return x[first + i]; };
    const double total = block.sum<double>([&](int t) {
      double sum = 0;
      walk_ahead<kAhead>(t, block.threads, D, value, [&](int64_t, T v) { sum += double(v); });
      return sum;
    });
    const T centre = T(total / double(D));
    const double squares = block.sum<double>([&](int t) {
      double sum = 0;
      walk_ahead<kAhead>(t, block.threads, D, value, [&](int64_t, T v) {
        const double distance = double(v - centre);
        sum += distance * distance;
      });
      return sum;
    });
    const T factor = T(1 / math::sqrt(squares / double(D) + epsilon));
    block.each_thread([&](int t) {
      walk_ahead<kAhead>(t, block.threads, D, value,
                         [&](int64_t i, T v) { y[first + i] = (v - centre) * factor * scale[i] + shift[i]; });
      if (t == 0) mean[block.index] = centre, inverse[block.index] = factor;
    });
  }
};

template <class T>
struct RowGradient {
  const T *dy, *x, *scale, *mean, *inverse;
  T* dx;
  int64_t D;

  struct Value {
    T g, distance;  ///< dy * scale, x - mean
  };
  UNCIAL_BODY void operator()(const Block& block) const {
    const int64_t first = block.index * D;
    const T centre = mean[block.index], factor = inverse[block.index];
    const auto value = [&](int64_t i) { return Value{dy[first + i] * scale[i], x[first + i] - centre}; };
    const TwoSums sums = block.reduce(
        TwoSums{},
        [&](int t) {
          TwoSums mine{};
          walk_ahead<kAhead>(t, block.threads, D, value, [&](int64_t, const Value& v) {
            mine.first += double(v.g), mine.second += double(v.g) * double(v.distance);
          });
          return mine;
        },
        TwoSums::add);
    const T g_mean = T(sums.first / double(D)),
            slope = T(sums.second * double(factor) * double(factor) / double(D));
    block.each_thread([&](int t) {
      walk_ahead<kAhead>(t, block.threads, D, value, [&](int64_t i, const Value& v) {
        dx[first + i] = (v.g - g_mean - v.distance * slope) * factor;
      });
    });
  }
};

/// What a piece of the rows adds to the gradients of scale and shift, a thread a column.
template <class T>
struct ParameterSums {
  static constexpr int kColumns = 128;
  static constexpr int64_t kRows = 64, kMostPieces = 256;

  const T *dy, *x, *mean, *inverse;
  TwoSums* partial;  ///< [piece][column]
  int64_t rows, D, pieces;

  static int64_t pieces_of(int64_t rows) {
    return std::clamp<int64_t>(ceil_div(rows, kRows), 1, kMostPieces);
  }
  UNCIAL_BODY int64_t tiles() const { return (D + kColumns - 1) / kColumns; }
  UNCIAL_BODY void operator()(const Block& block) const {
    const int64_t piece = block.index / tiles(), begin = piece * rows / pieces,
                  end = (piece + 1) * rows / pieces;
    block.each_thread([&](int t) {
      const int64_t d = block.index % tiles() * kColumns + t;
      if (d >= D) return;
      TwoSums sums{};
      for (int64_t r = begin; r < end; ++r) {
        const T g = dy[r * D + d];
        sums.first += double(g * ((x[r * D + d] - mean[r]) * inverse[r])), sums.second += double(g);
      }
      partial[piece * D + d] = sums;
    });
  }
};

int row_threads(int64_t D) { return threads_for(ceil_div(D, int64_t(kAhead))); }

}  // namespace

template <class T>
void layer_norm(const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean, T* inverse,
                LayerNormExtents e) {
  each_block(e.rows, row_threads(e.D), 0, NormaliseRow<T>{x, scale, shift, epsilon, y, mean, inverse, e.D},
             "layer_norm");
}

template <class T>
void layer_norm_backward(const T* dy, const T* x, const T* scale, const T* mean, const T* inverse, T* dx,
                         T* dscale, T* dshift, LayerNormExtents e) {
  constexpr const char* what = "layer_norm_backward";
  each_block(e.rows, row_threads(e.D), 0, RowGradient<T>{dy, x, scale, mean, inverse, dx, e.D}, what);
  using Sums = ParameterSums<T>;
  const int64_t pieces = Sums::pieces_of(e.rows), D = e.D;
  const Temporary memory(pieces * D * int64_t(sizeof(TwoSums)));
  const Sums sums{dy, x, mean, inverse, memory.as<TwoSums>(), e.rows, D, pieces};
  each_block(pieces * sums.tiles(), Sums::kColumns, 0, sums, what);
  const TwoSums* partial = memory.as<TwoSums>();
  each(
      D,
      [=] UNCIAL_BODY(int64_t d) {
        TwoSums total{};
        for (int64_t p = 0; p < pieces; ++p) total = TwoSums::add(total, partial[p * D + d]);
        dscale[d] = T(total.first), dshift[d] = T(total.second);
      },
      what);
}

UNCIAL_INSTANTIATE_LAYER_NORM(float)
UNCIAL_INSTANTIATE_LAYER_NORM(double)

}  // namespace uncial::cuda
