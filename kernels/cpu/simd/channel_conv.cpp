// Direct convolutions with the channels in the lanes. Two vectors of filters at a time walk over all rows, so
// that their packed weights stay in the cache.

#include "channel_pairs.h"

namespace UNCIAL_SIMD {
namespace {

int64_t filter_floats(const ChannelConvShape& s) {
  const int64_t more = in_pairs(s, false) ? 1 : 0;
  return (vectors_of(s.K) * s.shape.S + more) * kLanes * s.C * s.shape.R;
}

/// In the order of pack().
void taps(const ChannelConvShape& s, const ChannelSource& x, int32_t* offsets) {
  const int64_t width = x.in_lanes ? kLanes : 1;
  for (int64_t c0 = 0; c0 < s.C; c0 += width)
    for (int64_t r = 0; r < s.shape.R; ++r)
      for (int64_t c = 0; c < smaller(width, s.C - c0); ++c)
        for (int64_t column = 0; column < s.shape.S; ++column)
          *offsets++ = int32_t(c0 / width * x.plane + r * s.shape.dilation * x.row +
                               column * s.shape.dilation * width + c);
}

/// One tap of a pair of vectors, beyond the last filter zeros.
template <class Weight>
float* pack_tap(int64_t k, int64_t vectors, int64_t K, float* to, const Weight& weight) {
  for (int64_t l = 0; l < vectors * kLanes; ++l) to[l] = k + l < K ? weight(k + l) : 0.0f;
  return to + vectors * kLanes;
}

/// [pair of vectors][plane of channels][r][channel of the plane][s][filter]: taps that neighbours in a row
/// share lie together.
void pack(const ChannelConvShape& s, bool in_lanes, const float* w, const float* factor, float* filters,
          int64_t v0, int64_t v1) {
  const int64_t plane = in_lanes ? kLanes : 1, R = s.shape.R, S = s.shape.S, area = R * S;
  const auto weight = [&](int64_t k, int64_t c, int64_t r, int64_t tap) {
    const float value = w[((k * s.C + c) * R + r) * S + tap];
    return factor ? value * factor[k] : value;
  };
  for (int64_t v = v0; v < v1; v += 2) {
    const int64_t vectors = smaller(2, vectors_of(s.K) - v);
    const bool pairs = vectors == 1 && in_pairs(s, in_lanes);
    float* to = filters + v * kLanes * s.C * area;
    for (int64_t c0 = 0; c0 < s.C; c0 += plane)
      for (int64_t r = 0; r < R; ++r)
        for (int64_t c = c0; c < smaller(c0 + plane, s.C); ++c) {
          if (pairs)
            to = pack_pairs(v * kLanes, s.K, S, to,
                            [&](int64_t k, int64_t tap) { return weight(k, c, r, tap); });
          else
            for (int64_t tap = 0; tap < S; ++tap)
              to = pack_tap(v * kLanes, vectors, s.K, to, [&](int64_t k) { return weight(k, c, r, tap); });
        }
  }
}

enum class RowKind { pixels, sliding, pairs };

template <int kV>
RowKind kind_of(const ChannelConvShape& s, bool in_lanes) {
  if (kV == 2 || s.shape.stride > 1 || s.shape.dilation > 1 || s.shape.S == 1) return RowKind::pixels;
  return in_pairs(s, in_lanes) ? RowKind::pairs : RowKind::sliding;
}

template <int kV>
Split parts_of(int64_t pixels, RowKind kind) {
  if (kind == RowKind::pixels) return Split(pixels, kMostPixels[kV - 1]);
  return Split(kind == RowKind::pairs ? pixels / 2 : pixels, kSlidePixels);
}

/// What the rows of one or two vectors of filters share.
struct Rows {
  const ChannelConvShape& s;
  const ChannelSource& x;
  const float* w;
  RowKind kind;
  Split parts;  ///< of its pixels, or of their pairs
};

/// Row p of the unpooled output.
template <int kV>
void output_row(const Rows& a, int64_t p, const Sums& to) {
  const ChannelConvShape& s = a.s;
  const float* from = a.x.data + p * s.shape.stride * a.x.row;
  const int64_t step = s.shape.stride * (a.x.in_lanes ? kLanes : 1);
  if constexpr (kV == 1)
    if (a.kind != RowKind::pixels) {
      const SlideTaps taps = {a.x.taps, s.C * s.shape.R, s.shape.S, 0};
      if (a.kind == RowKind::pairs) return pairs_row(taps, from, s.Q, a.parts, a.w, to);
      return step == 1 ? slide_row<1>(taps, from, a.parts, a.w, to)
                       : slide_row<kLanes>(taps, from, a.parts, a.w, to);
    }
  const Taps taps = {a.x.taps, s.C * s.shape.R * s.shape.S};
  if (step == kLanes)
    channel_row<kV, kLanes>(taps, from, step, a.parts, a.w, to);
  else if (step == 1)
    channel_row<kV, 1>(taps, from, step, a.parts, a.w, to);
  else
    channel_row<kV, 0>(taps, from, step, a.parts, a.w, to);
}

/// Two rows of sums -> one row of 2x2 windows; ReLU behind the pooling gives the same as before it.
void pool_rows(const float* rows, int64_t Q, bool with_relu, float* y) {
  for (int64_t q = 0; q + 1 < Q; q += 2, rows += 2 * kLanes, y += kLanes) {
    const float* lower = rows + Q * kLanes;
    const V best = first_largest(first_largest(load(rows), load(rows + kLanes)),
                                 first_largest(load(lower), load(lower + kLanes)));
    store(y, with_relu ? relu(best) : best);
  }
}

template <int kV>
void filter_rows(const ChannelConvShape& s, const ChannelSource& x, const float* w, const LaneEpilogue& e,
                 int64_t v, int64_t p0, int64_t p1, float* workspace) {
  const RowKind kind = kind_of<kV>(s, x.in_lanes);
  const Rows rows = {s, x, w, kind, parts_of<kV>(s.Q, kind)};
  const float* bias = e.bias + v * kLanes;
  float* y = e.y.data + v * e.y.plane;
  for (int64_t p = p0; p < p1; ++p) {
    if (!e.pool) {
      output_row<kV>(rows, p, {bias, e.relu, y + p * e.y.row, e.y.plane});
      continue;
    }
    const int64_t row = s.Q * kLanes;
    for (int64_t i = 0; i < 2; ++i)
      output_row<kV>(rows, 2 * p + i, {bias, false, workspace + i * row, 2 * row});
    for (int64_t i = 0; i < kV; ++i)
      pool_rows(workspace + i * 2 * row, s.Q, e.relu, y + i * e.y.plane + p * e.y.row);
  }
}

void forward(const ChannelConvShape& s, const ChannelSource& x, const float* filters, const LaneEpilogue& e,
             int64_t v0, int64_t v1, int64_t p0, int64_t p1, float* workspace) {
  const int64_t vector = kLanes * s.C * s.shape.R * s.shape.S;
  for (int64_t v = v0; v < v1; v += 2) {
    const auto rows = vectors_of(s.K) - v > 1 ? filter_rows<2> : filter_rows<1>;
    rows(s, x, filters + v * vector, e, v, p0, p1, workspace);
  }
}

void affine(const LaneImage& x, const float* factor, const float* shift, bool with_relu, const LaneImage& y) {
  for (int64_t v = 0; v < x.C; ++v) {
    const V f = load(factor + v * kLanes), s = load(shift + v * kLanes);
    for (int64_t h = 0; h < x.H; ++h) {
      const float* from = x.data + v * x.plane + h * x.row;
      float* to = y.data + v * y.plane + h * y.row;
      for (int64_t i = 0; i < x.W * kLanes; i += kLanes) {
        const V value = load(from + i) * f + s;
        store(to + i, with_relu ? relu(value) : value);
      }
    }
  }
}

}  // namespace

extern const uncial::cpu::ChannelConvSimd channel_conv_simd = {kLanes, filter_floats, pack,
                                                               taps,   forward,       affine};

}  // namespace UNCIAL_SIMD
