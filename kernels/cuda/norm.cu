#include "uncial/kernels/norm.h"

#include <algorithm>
#include <type_traits>

#include "two_sums.h"
#include "uncial/kernels/math.h"
#include "vectors.h"

namespace uncial::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPiece = 4096;      // values of a channel that a block takes at least
constexpr int64_t kMostPieces = 256;  // of a channel

/// A channel's values, counted through samples and places, in pieces of equal size: by the extents alone, so
/// that sums have the same bits everywhere.
struct Pieces {
  NormExtents e;
  int64_t count, size;
  bool quads;  ///< four neighbours are read at once
  IndexDivider places;

  Pieces(const NormExtents& extents, bool aligned)
      : e(extents),
        count(std::clamp(ceil_div(e.N * e.L, kPiece), int64_t(1), kMostPieces)),
        size(ceil_div(ceil_div(e.N * e.L, count), int64_t(4)) * 4),
        quads(aligned && e.L % 4 == 0),
        places(e.L > 0 ? e.L : 1, e.N * e.L) {}
  int64_t blocks() const { return e.C * count; }
  int threads() const { return threads_for(size, kThreads); }
};

template <class T>
struct Single {
  T v[1];
  UNCIAL_BODY static Single load(const T* from) { return {{*from}}; }
  UNCIAL_BODY void store(T* to) const { *to = v[0]; }
};

/// Piece `piece` of channel `channel`, as one block sees it.
struct Part {
  const Pieces& pieces;
  int64_t channel, piece, begin;
  int length;

  UNCIAL_BODY Part(const Pieces& p, int64_t block)
      : pieces(p), channel(block / p.count), piece(block % p.count), begin(piece * p.size) {
    const int64_t left = p.e.N * p.e.L - begin;
    length = int(left < 0 ? 0 : left < p.size ? left : p.size);
  }
  UNCIAL_BODY int64_t at(int i) const {
    const NormExtents& e = pieces.e;
    const int64_t n = pieces.places.quotient(begin + i);
    return (n * e.C + channel) * e.L + (begin + i - n * e.L);
  }
  /// use(place, load(place)) for the values of thread t, kStep neighbours at once.
  template <int kStep, class Load, class Use>
  UNCIAL_BODY void walk(int t, int threads, Load load, Use use) const {
    walk_rounds<kStep == 1 ? 8 : 4>(
        t, threads, length / kStep, [&](int i) { return load(at(i * kStep)); },
        [&](int i, const auto& values) { use(at(i * kStep), values); });
  }
  /// add_to(sums, load(place)) for all values; the block's sums go to `partial`.
  template <int kStep, class Load, class AddTo>
  UNCIAL_BODY void sum(const Block& block, Load load, AddTo add_to, TwoSums* partial) const {
    const TwoSums sums = block.reduce(
        TwoSums{},
        [&](int t) {
          TwoSums mine{};
          walk<kStep>(t, block.threads, load, [&](int64_t, const auto& values) { add_to(mine, values); });
          return mine;
        },
        TwoSums::add);
    block.each_thread([&](int t) {
      if (t == 0) partial[block.index] = sums;
    });
  }
  /// The sums of a channel from its pieces'.
  UNCIAL_BODY TwoSums total(const Block& block, const TwoSums* partial) const {
    return block.reduce(
        TwoSums{},
        [&](int t) {
          TwoSums mine{};
          for (int64_t p = t; p < pieces.count; p += block.threads)
            mine = TwoSums::add(mine, partial[channel * pieces.count + p]);
          return mine;
        },
        TwoSums::add);
  }
};

/// pass.run<kStep>(block, part) for every piece of every channel.
template <class Pass>
struct EachPart {
  Pieces pieces;
  Pass pass;
  UNCIAL_BODY void operator()(const Block& block) const {
    const Part part(pieces, block.index);
    if (pieces.quads)
      pass.template run<4>(block, part);
    else
      pass.template run<1>(block, part);
  }
};
template <class Pass>
void each_part(const Pieces& pieces, const Pass& pass, const char* what) {
  each_block<kThreads>(pieces.blocks(), pieces.threads(), 0, EachPart<Pass>{pieces, pass}, what);
}

template <class T, int kStep>
using Group = std::conditional_t<kStep == 4, Quad<T>, Single<T>>;

template <class T>
struct Channels {
  const T *x, *scale, *shift;
  double epsilon;
  T *y, *mean, *variance;
  TwoSums* partial;  // a piece of a channel each

  /// What values are counted from: one of them, so that squares do not lose digits to a mean far from 0.
  UNCIAL_BODY double pivot(const Part& part) const {
    const NormExtents& e = part.pieces.e;
    return e.N * e.L > 0 ? double(x[part.channel * e.L]) : 0;
  }
};

/// Sums of the distances from the pivot, and of their squares.
template <class T>
struct Statistics : Channels<T> {
  template <int kStep>
  UNCIAL_BODY void run(const Block& block, const Part& part) const {
    const double pivot = this->pivot(part);
    part.sum<kStep>(
        block, [&](int64_t i) { return Group<T, kStep>::load(this->x + i); },
        [&](TwoSums& sums, const Group<T, kStep>& values) {
          UNCIAL_UNROLL
          for (const T& value : values.v) {
            const double d = double(value) - pivot;
            sums.first += d, sums.second += d * d;
          }
        },
        this->partial);
  }
};

template <class T>
struct Normalise : Channels<T> {
  template <int kStep>
  UNCIAL_BODY void run(const Block& block, const Part& part) const {
    const int64_t c = part.channel;
    const TwoSums sums = part.total(block, this->partial);
    const double count = double(part.pieces.e.N * part.pieces.e.L), distance = sums.first / count,
                 exact = this->pivot(part) + distance, of_squares = sums.second / count - distance * distance;
    const T centre = T(exact);
    // About the mean as it is rounded, as the CPU has it.
    const double off = exact - double(centre);
    const T spread = T((of_squares > 0   ? of_squares
                        : of_squares < 0 ? 0
                                         : of_squares) +
                       off * off),
            factor = T(double(this->scale[c]) / math::sqrt(double(spread) + this->epsilon)),
            offset = this->shift[c];
    block.each_thread([&](int t) {
      part.walk<kStep>(
          t, block.threads, [&](int64_t i) { return Group<T, kStep>::load(this->x + i); },
          [&](int64_t i, Group<T, kStep> values) {
            UNCIAL_UNROLL
            for (T& value : values.v) value = (value - centre) * factor + offset;
            values.store(this->y + i);
          });
      if (t == 0 && part.piece == 0) this->mean[c] = centre, this->variance[c] = spread;
    });
  }
};

template <class T>
struct Gradients {
  const T *dy, *x, *scale, *mean, *variance;
  double epsilon;
  T *dx, *dscale, *dshift;
  TwoSums* partial;

  template <int kStep>
  struct Values {
    Group<T, kStep> dy, x;
  };
  template <int kStep>
  UNCIAL_BODY Values<kStep> load(int64_t i) const {
    return {Group<T, kStep>::load(dy + i), Group<T, kStep>::load(x + i)};
  }
};

/// Sums of dy, and of its products with the distance from the mean.
template <class T>
struct GradientSums : Gradients<T> {
  template <int kStep>
  UNCIAL_BODY void run(const Block& block, const Part& part) const {
    const T centre = this->mean[part.channel];
    part.sum<kStep>(
        block, [&](int64_t i) { return this->template load<kStep>(i); },
        [&](TwoSums& sums, const auto& values) {
          UNCIAL_UNROLL
          for (int k = 0; k < kStep; ++k) {
            sums.first += double(values.dy.v[k]);
            sums.second += double(values.dy.v[k]) * double(values.x.v[k] - centre);
          }
        },
        this->partial);
  }
};

template <class T>
struct InputGradient : Gradients<T> {
  template <int kStep>
  UNCIAL_BODY void run(const Block& block, const Part& part) const {
    const int64_t c = part.channel;
    const TwoSums sums = part.total(block, this->partial);
    const double count = double(part.pieces.e.N * part.pieces.e.L),
                 inverse = 1 / math::sqrt(double(this->variance[c]) + this->epsilon);
    const T dy_mean = T(sums.first / count), slope = T(sums.second * inverse * inverse / count),
            factor = T(double(this->scale[c]) * inverse), centre = this->mean[c];
    block.each_thread([&](int t) {
      part.walk<kStep>(
          t, block.threads, [&](int64_t i) { return this->template load<kStep>(i); },
          [&](int64_t i, auto values) {
            UNCIAL_UNROLL
            for (int k = 0; k < kStep; ++k)
              values.dy.v[k] = (values.dy.v[k] - dy_mean - (values.x.v[k] - centre) * slope) * factor;
            values.dy.store(this->dx + i);
          });
      if (t == 0 && part.piece == 0)
        this->dshift[c] = T(sums.first), this->dscale[c] = T(sums.second * inverse);
    });
  }
};

}  // namespace

template <class T>
void batch_norm(const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean, T* variance,
                NormExtents e) {
  const Pieces pieces(e, all_aligned(x, y));
  const Temporary memory(pieces.blocks() * int64_t(sizeof(TwoSums)));
  const Channels<T> channels{x, scale, shift, epsilon, y, mean, variance, memory.as<TwoSums>()};
  each_part(pieces, Statistics<T>{channels}, "batch_norm");
  each_part(pieces, Normalise<T>{channels}, "batch_norm");
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
  const Pieces pieces(e, all_aligned(dy, x, dx));
  const Temporary memory(pieces.blocks() * int64_t(sizeof(TwoSums)));
  const Gradients<T> of{dy, x, scale, mean, variance, epsilon, dx, dscale, dshift, memory.as<TwoSums>()};
  each_part(pieces, GradientSums<T>{of}, "batch_norm_backward");
  each_part(pieces, InputGradient<T>{of}, "batch_norm_backward");
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
