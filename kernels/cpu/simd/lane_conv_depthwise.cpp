// Both gradients of a depthwise convolution in one walk over the image: a pixel of x and its pixel of dx see
// the same outputs, so each of these is loaded once for two multiply-adds. The output gradient's rows pass
// through a ring in L1, with zeros beyond the edges, ReLU and pooling undone.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

// Rows of taps, and taps of a row, whose weights and sums fit in registers.
#if defined(UNCIAL_SIMD_avx512)
constexpr int kMostRows = 3;
#else
constexpr int kMostRows = 1;
#endif
constexpr int kMostTaps = 5;

/// A row of pixels `step` apart, of which pixel j meets tap t of row r at dy[r][j - t].
struct PixelRow {
  int64_t count, step;
  const float *x, *dy[kMostRows];
  float* dx;
  bool first;  ///< dx holds nothing yet
  const float* w[kMostRows];
  float* sums[kMostRows];
  int64_t tap;  ///< from tap to tap, in weights
};

template <int kR, int kS>
void pixels(const PixelRow& g) {
  V weight[kR][kS], sum[kR][kS];
#pragma GCC unroll 4
  for (int r = 0; r < kR; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < kS; ++t) {
      weight[r][t] = broadcast(g.w[r][t * g.tap]);
      sum[r][t] = load(g.sums[r] + t * g.tap * kLanes);
    }
  for (int64_t j = 0; j < g.count; ++j) {
    const V pixel = load(g.x + j * g.step);
    V total[2] = {};
    if (!g.first) total[0] = load(g.dx + j * g.step);
#pragma GCC unroll 4
    for (int r = 0; r < kR; ++r)
#pragma GCC unroll 8
      for (int t = 0; t < kS; ++t) {
        const V dy = in_register(load(g.dy[r] + (j - t) * kLanes));
        sum[r][t] += pixel * dy;
        total[(r + t) % 2] += weight[r][t] * dy;
      }
    store(g.dx + j * g.step, total[0] + total[1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < kR; ++r)
#pragma GCC unroll 8
    for (int t = 0; t < kS; ++t) store(g.sums[r] + t * g.tap * kLanes, sum[r][t]);
}

using Pixels = void (*)(const PixelRow&);
template <int kR>
constexpr Pixels of_taps[] = {nullptr,       pixels<kR, 1>, pixels<kR, 2>,
                              pixels<kR, 3>, pixels<1, 4>,  pixels<1, 5>};
#if defined(UNCIAL_SIMD_avx512)
constexpr const Pixels* kPixels[] = {nullptr, of_taps<1>, of_taps<2>, of_taps<3>};
#else
constexpr const Pixels* kPixels[] = {nullptr, of_taps<1>};
#endif

/// The taps of a row that columns w, w + stride, ... meet: first + i * stride.
struct Column {
  int64_t first, count, output;  ///< where column w meets the first of them
  Column(const LaneConvShape& s, int64_t w)
      : first((w + s.padding) % s.stride),
        count(first < s.S ? ceil_div(s.S - first, s.stride) : 0),
        output((w + s.padding - first) / s.stride) {}
};

/// The ring of one channel's rows of dy.
struct Ring {
  int64_t left, columns, count;
  float *rows, *zeros;
  Ring(const LaneConvShape& s, int64_t W, int64_t Q, float* memory)
      : left(larger(0, ceil_div(s.S - 1 - s.padding, s.stride))),
        columns(left + Q + larger(0, floor_div(W - 1 + s.padding, s.stride) - (Q - 1))),
        count(ceil_div(s.R - 1, s.stride) + 1),
        rows(memory),
        zeros(memory + count * columns * kLanes) {
    for (int64_t i = 0; i < (count + 1) * columns; ++i) store(memory + i * kLanes, V{});
  }
  float* at(int64_t p) const { return rows + p % count * columns * kLanes + left * kLanes; }
  const float* or_zeros(int64_t p, int64_t P) const {
    return p >= 0 && p < P ? at(p) : zeros + left * kLanes;
  }
};

/// Row h of channel c.
void both_of_row(const LaneConvShape& s, const LaneImage& x, const float* w, int64_t P, const Ring& ring,
                 int64_t c, int64_t h, float* sums, const LaneImage& dx) {
  const Column rows(s, h);  // the same rule along the other axis, for R taps
  const int64_t row_taps = rows.first < s.R ? ceil_div(s.R - rows.first, s.stride) : 0;
  for (int64_t w0 = 0; w0 < smaller(s.stride, x.W); ++w0) {
    const Column column(s, w0);
    PixelRow g = {};
    g.count = ceil_div(x.W - w0, s.stride), g.step = s.stride * kLanes, g.tap = s.stride;
    g.x = x.data + c * x.plane + h * x.row + w0 * kLanes;
    g.dx = dx.data + c * dx.plane + h * dx.row + w0 * kLanes;
    if (!row_taps || !column.count) {
      for (int64_t j = 0; j < g.count; ++j) store(g.dx + j * g.step, V{});
      continue;
    }
    const int64_t at_once = column.count > 3 ? 1 : kMostRows;
    for (int64_t i = 0; i < row_taps; i += at_once) {
      const int64_t n = smaller(at_once, row_taps - i);
      for (int64_t r = 0; r < n; ++r) {
        const int64_t tap = (rows.first + (i + r) * s.stride) * s.S + column.first;
        g.w[r] = w + c * s.R * s.S + tap;
        g.sums[r] = sums + (c * s.R * s.S + tap) * kLanes;
        g.dy[r] = ring.or_zeros(rows.output - i - r, P) + column.output * kLanes;
      }
      g.first = i == 0;
      kPixels[n][column.count](g);
    }
  }
}

}  // namespace

bool depthwise(const LaneConvShape& s, int64_t C, int64_t K) {
  return C > 1 && s.groups == C && K == C && s.dilation == 1 && ceil_div(s.S, s.stride) <= kMostTaps;
}

void depthwise_gradients(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneGradient& g,
                         float* sums, float* bias_sums, const LaneImage& dx, float* workspace) {
  const Ring ring(s, x.W, g.Q, workspace);
  for (int64_t c = 0; c < x.C; ++c) {
    int64_t known = 0;
    const auto expand_to = [&](int64_t end) {
      for (; known < smaller(end, g.P); ++known) expand_row(g, c, 1, known, ring.at(known), 0, bias_sums);
    };
    for (int64_t h = 0; h < x.H; ++h) {
      expand_to((h + s.padding) / s.stride + 1);
      both_of_row(s, x, w, g.P, ring, c, h, sums, dx);
    }
    expand_to(g.P);
  }
}

}  // namespace UNCIAL_SIMD
