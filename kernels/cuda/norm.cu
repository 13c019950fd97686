#include "uncial/kernels/norm.h"

#include <algorithm>

#include "grid.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPiece = 4096;      // values of a channel that a block takes at least
constexpr int64_t kMostPieces = 128;  // of a channel

/// A channel's values, counted through samples and places, in pieces of equal size: by the extents alone, so
/// that sums have the same bits everywhere.
struct Pieces {
  NormExtents e;
  int64_t count, size;
  IndexDivider places;

  explicit Pieces(const NormExtents& extents)
      : e(extents),
        count(std::clamp(ceil_div(e.N * e.L, kPiece), int64_t(1), kMostPieces)),
        size(ceil_div(e.N * e.L, count)),
        places(e.L > 0 ? e.L : 1, e.N * e.L) {}
  int64_t blocks() const { return e.C * count; }
  int threads() const { return threads_for(size, kThreads); }
};

/// Piece `piece` of channel `channel`, as one block sees it.
struct Part {
  const Pieces& pieces;
  int64_t channel, piece, begin, length;

  UNCIAL_BODY Part(const Pieces& p, int64_t block)
      : pieces(p), channel(block / p.count), piece(block % p.count), begin(piece * p.size) {
    const int64_t left = p.e.N * p.e.L - begin;
    length = left < 0 ? 0 : left < p.size ? left : p.size;
  }
  UNCIAL_BODY int64_t at(int64_t i) const {
    const NormExtents& e = pieces.e;
    const int64_t n = pieces.places.quotient(begin + i);
    return (n * e.C + channel) * e.L + (begin + i - n * e.L);
  }
  /// use(place, load(place)) for the values of thread t.
  template <class Load, class Use>
  UNCIAL_BODY void walk(int t, int threads, Load load, Use use) const {
    walk_ahead(
        t, threads, length, [&](int64_t i) { return load(at(i)); },
        [&](int64_t i, const auto& value) { use(at(i), value); });
  }
  template <class Load, class Value>
  UNCIAL_BODY double sum(const Block& block, Load load, Value value) const {
    return block.sum<double>([&](int t) {
      double sum = 0;
      walk(t, block.threads, load, [&](int64_t, const auto& loaded) { sum += value(loaded); });
      return sum;
    });
  }
  /// The sum of a channel from its pieces' sums.
  UNCIAL_BODY double total(const Block& block, const double* partial) const {
    return block.sum<double>([&](int t) {
      double sum = 0;
      for (int64_t p = t; p < pieces.count; p += block.threads) sum += partial[channel * pieces.count + p];
      return sum;
    });
  }
};

/// body(block, part) for every piece of every channel.
template <class Body>
void each_part(const Pieces& pieces, Body body, const char* what) {
  each_block<kThreads>(
      pieces.blocks(), pieces.threads(), 0,
      [=] UNCIAL_BODY(const Block& block) { body(block, Part(pieces, block.index)); }, what);
}

UNCIAL_BODY void keep(const Block& block, double value, double* place) {
  block.each_thread([&](int t) {
    if (t == 0) *place = value;
  });
}

template <class T>
struct Forward {
  const T *x, *scale, *shift;
  double epsilon;
  T *y, *mean, *variance;
  double *sums, *squares;  // a piece of a channel each

  UNCIAL_BODY static double size_of(const Part& part) { return double(part.pieces.e.N * part.pieces.e.L); }
  UNCIAL_BODY T centre_of(const Block& block, const Part& part) const {
    return T(part.total(block, sums) / size_of(part));
  }
  UNCIAL_BODY void sum(const Block& block, const Part& part) const {
    const double sum = part.sum(
        block, [&](int64_t i) { return x[i]; }, [](T value) { return double(value); });
    keep(block, sum, sums + block.index);
  }
  UNCIAL_BODY void sum_squares(const Block& block, const Part& part) const {
    const T centre = centre_of(block, part);
    const double sum = part.sum(
        block, [&](int64_t i) { return x[i]; },
        [&](T value) {
          const double d = double(value - centre);
          return d * d;
        });
    keep(block, sum, squares + block.index);
  }
  UNCIAL_BODY void apply(const Block& block, const Part& part) const {
    const int64_t c = part.channel;
    const T centre = centre_of(block, part), spread = T(part.total(block, squares) / size_of(part)),
            factor = T(double(scale[c]) / math::sqrt(double(spread) + epsilon)), offset = shift[c];
    block.each_thread([&](int t) {
      part.walk(
          t, block.threads, [&](int64_t i) { return x[i]; },
          [&](int64_t i, T value) { y[i] = (value - centre) * factor + offset; });
      if (t == 0 && part.piece == 0) mean[c] = centre, variance[c] = spread;
    });
  }
};

template <class T>
struct Backward {
  const T *dy, *x, *scale, *mean, *variance;
  double epsilon;
  T *dx, *dscale, *dshift;
  double *sums, *products;  // a piece of a channel each

  struct Values {
    T dy, x;
  };
  UNCIAL_BODY Values load(int64_t i) const { return {dy[i], x[i]}; }

  UNCIAL_BODY void sum(const Block& block, const Part& part) const {
    const T centre = mean[part.channel];
    const auto loaded = [&](int64_t i) { return load(i); };
    const double sum = part.sum(block, loaded, [](const Values& v) { return double(v.dy); });
    const double product =
        part.sum(block, loaded, [&](const Values& v) { return double(v.dy) * double(v.x - centre); });
    keep(block, sum, sums + block.index);
    keep(block, product, products + block.index);
  }
  UNCIAL_BODY void apply(const Block& block, const Part& part) const {
    const int64_t c = part.channel;
    const double count = double(part.pieces.e.N * part.pieces.e.L), sum_dy = part.total(block, sums),
                 sum_dy_x = part.total(block, products),
                 inverse = 1 / math::sqrt(double(variance[c]) + epsilon);
    const T dy_mean = T(sum_dy / count), slope = T(sum_dy_x * inverse * inverse / count),
            factor = T(double(scale[c]) * inverse), centre = mean[c];
    block.each_thread([&](int t) {
      part.walk(
          t, block.threads, [&](int64_t i) { return load(i); },
          [&](int64_t i, const Values& v) { dx[i] = (v.dy - dy_mean - (v.x - centre) * slope) * factor; });
      if (t == 0 && part.piece == 0) dshift[c] = T(sum_dy), dscale[c] = T(sum_dy_x * inverse);
    });
  }
};

}  // namespace

template <class T>
void batch_norm(const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean, T* variance,
                NormExtents e) {
  const Pieces pieces(e);
  const Temporary memory(2 * pieces.blocks() * int64_t(sizeof(double)));
  double* partial = memory.as<double>();
  const Forward<T> of{x, scale, shift, epsilon, y, mean, variance, partial, partial + pieces.blocks()};
  each_part(
      pieces, [=] UNCIAL_BODY(const Block& block, const Part& part) { of.sum(block, part); }, "batch_norm");
  each_part(
      pieces, [=] UNCIAL_BODY(const Block& block, const Part& part) { of.sum_squares(block, part); },
      "batch_norm");
  each_part(
      pieces, [=] UNCIAL_BODY(const Block& block, const Part& part) { of.apply(block, part); }, "batch_norm");
}

template <class T>
void batch_norm_inference(const T* x, const T* scale, const T* shift, const T* mean, const T* variance,
                          double epsilon, T* y, NormExtents e) {
  const IndexDivider places(e.L > 0 ? e.L : 1, e.N * e.C * e.L), channels(e.C > 0 ? e.C : 1, e.N * e.C);
  each(
      e.N * e.C * e.L,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t row = places.quotient(i), c = row - channels.quotient(row) * e.C;
        const T factor = T(double(scale[c]) / math::sqrt(double(variance[c]) + epsilon));
        y[i] = (x[i] - mean[c]) * factor + shift[c];
      },
      "batch_norm_inference");
}

template <class T>
void batch_norm_backward(const T* dy, const T* x, const T* scale, const T* mean, const T* variance,
                         double epsilon, T* dx, T* dscale, T* dshift, NormExtents e) {
  const Pieces pieces(e);
  const Temporary memory(2 * pieces.blocks() * int64_t(sizeof(double)));
  double* partial = memory.as<double>();
  const Backward<T> of{
      dy, x, scale, mean, variance, epsilon, dx, dscale, dshift, partial, partial + pieces.blocks()};
  each_part(
      pieces, [=] UNCIAL_BODY(const Block& block, const Part& part) { of.sum(block, part); },
      "batch_norm_backward");
  each_part(
      pieces, [=] UNCIAL_BODY(const Block& block, const Part& part) { of.apply(block, part); },
      "batch_norm_backward");
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

}  // namespace uncial::cuda
