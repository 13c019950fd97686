// Direct convolutions of one group with the batch in the lanes: the walk over rows. The inner products are in
// lane_conv_*.cpp beside this file.

#include "lane_conv.h"

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

constexpr float kNoFloor = -__builtin_inff();

int64_t output_extent(const LaneConvShape& s, int64_t input, int64_t taps) {
  return (input + 2 * s.padding - s.dilation * (taps - 1) - 1) / s.stride + 1;
}

void forward_rows(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneEpilogue& e,
                  int64_t p0, int64_t p1) {
  const int64_t P = output_extent(s, x.H, s.R), Q = output_extent(s, x.W, s.S);
  const int64_t C = x.C / s.groups, K = e.y.C / s.groups, taps = s.R * s.S;
  GatherRow row = {};
  row.outputs = K, row.columns = e.pool ? Q / 2 : Q, row.channels = C;
  row.R = s.R, row.S = s.S;
  row.plane = x.plane, row.step = s.stride * kLanes, row.tap = s.dilation * kLanes;
  row.below = s.stride * x.row;
  row.seen_begin = s.padding, row.seen_end = s.padding + x.W;
  row.w_output = C * taps, row.w_channel = taps, row.w_tap = 1;
  row.floor = e.relu ? 0 : kNoFloor;
  row.y_output = e.y.plane, row.y_step = kLanes, row.stream = e.stream;
  row.skip_output = e.skip.plane;
  row.winners_output = (P / 2) * (Q / 2) * kLanes;
  const GatherPlan plan = plan_gather(row, e.pool);
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t p = p0; p < p1; ++p) {
      const int64_t h = (e.pool ? 2 * p : p) * s.stride - s.padding;
      for (int64_t r = 0; r < s.R; ++r) {
        row.rows[r] = x.data + g * C * x.plane + (h + r * s.dilation) * x.row - s.padding * kLanes;
        row.w_rows[r] = r * s.S;
      }
      row.w = w + g * K * C * taps;
      row.bias = e.bias ? e.bias + g * K : nullptr;
      row.y = e.y.at_row(p) + g * K * e.y.plane;
      if (e.skip.data) row.skip = e.skip.at_row(p) + g * K * e.skip.plane;
      if (e.winners) row.winners = e.winners + g * K * row.winners_output + p * (Q / 2) * kLanes;
      gather_row(row, plan);
    }
}

/// Filters of one tap see an image without gaps as one run of pixels, whatever its width: it is cut into
/// pieces that the blocks of sums divide.
constexpr int64_t kPiece = 48;
bool one_tap(const LaneConvShape& s) { return s.R == 1 && s.S == 1 && s.stride == 1 && s.padding == 0; }
bool one_run(const LaneImage& x) { return !x.data || (x.row == x.W * kLanes && !x.ring); }
/// Pixels [begin, begin + count) as a row.
LaneImage piece_of(LaneImage x, int64_t begin, int64_t count) {
  if (x.data) x.data += begin * kLanes;
  x.H = 1, x.W = count;
  return x;
}

void forward_pieces(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneEpilogue& e) {
  if (one_tap(s) && !e.pool && x.H > 1 && one_run(x) && one_run(e.y) && one_run(e.skip)) {
    const int64_t pixels = x.H * x.W;
    for (int64_t n = 0; n < pixels; n += kPiece) {
      const int64_t count = smaller(kPiece, pixels - n);
      LaneEpilogue part = e;
      part.y = piece_of(e.y, n, count);
      part.skip = piece_of(e.skip, n, count);
      forward_rows(s, piece_of(x, n, count), w, part, 0, 1);
    }
    return;
  }
  const int64_t P = output_extent(s, x.H, s.R);
  forward_rows(s, x, w, e, 0, e.pool ? P / 2 : P);
}

void forward(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneEpilogue& e) {
  forward_pieces(s, x, w, e);
  if (e.stream) end_streams();
}

/// How the backward pass walks: blocks of rows of dy in a ring, with zero columns on both sides for the taps
/// that reach over the edge, and transposed rows of x in another one.
struct Walk {
  int64_t rows;         ///< of dy that are taken at once
  int64_t left, right;  ///< zero columns
  RowRing dy, turned;
  int64_t floats;  ///< of workspace
};

/// Whether a weight gradient with the images in the lanes reads dy so often that ReLU and pooling are undone
/// once, into the ring, as long as that stays in L2.
bool undone_once(const LaneConvShape& s, int64_t C, int64_t K, int64_t Q) {
  constexpr int64_t kRing = 128 * 1024;  // floats
  return !channels_in_lanes(s, C) && image_passes(s, C) > 2 && K * (96 + s.R * Q) * kLanes <= kRing;
}

Walk walk_of(const LaneConvShape& s, int64_t C, int64_t H, int64_t W, int64_t K, int64_t P, int64_t Q,
             float* workspace) {
  Walk walk = {};
  // Some columns between load and store of the sums, and no more rows than small images need for that.
  const bool more = undone_once(s, C, K, Q);
  walk.rows = larger(1, smaller(smaller(more ? P : kRowsAtOnce, P), ceil_div(more ? 96 : 32, larger(Q, 1))));
  walk.left = larger(0, ceil_div((s.S - 1) * s.dilation - s.padding, s.stride));
  walk.right = larger(0, floor_div(W - 1 + s.padding, s.stride) - (Q - 1));
  const int64_t columns = (walk.left + Q + walk.right) | 1;  // odd: planes do not meet in the same sets of L1
  walk.dy.plane = columns * kLanes;
  walk.dy.row = K * walk.dy.plane;
  walk.dy.count = walk.rows + ceil_div((s.R - 1) * s.dilation, s.stride);
  walk.dy.data = workspace;
  walk.floats = walk.dy.count * walk.dy.row;
  if (channels_in_lanes(s, C)) {
    walk.turned.plane = (W + 2 * s.padding) * kLanes * kLanes;
    walk.turned.row = turned_row_floats(s, C, W);
    walk.turned.count = (walk.rows - 1) * s.stride + (s.R - 1) * s.dilation + 1;
    if (workspace) walk.turned.data = workspace + walk.floats;
    walk.floats += walk.turned.count * walk.turned.row;
  }
  (void)H;
  return walk;
}

void zero_borders(const Walk& walk, int64_t K, int64_t Q) {
  for (int64_t plane = 0; plane < walk.dy.count * K; ++plane) {
    float* row = walk.dy.data + plane * walk.dy.plane;
    for (int64_t q = 0; q < walk.left; ++q) store(row + q * kLanes, V{});
    for (int64_t q = 0; q < walk.right; ++q) store(row + (walk.left + Q + q) * kLanes, V{});
  }
}

/// The taps along one axis that reach the inputs at w, w + stride, ...: every step-th from the first one on.
/// Tap first + i * step meets input w at output (w + padding - tap * dilation) / stride.
struct Residue {
  int64_t first, step, count;
};
Residue residue(const LaneConvShape& s, int64_t taps, int64_t w) {
  Residue of = {taps, 1, 0};
  for (int64_t t = 0; t < taps; ++t) {
    if ((w + s.padding - t * s.dilation) % s.stride) continue;
    if (!of.count) of.first = t;
    if (of.count == 1) of.step = t - of.first;
    ++of.count;
  }
  return of;
}

/// Row h of dx.
void gather_dx_row(const LaneConvShape& s, const Walk& walk, const float* w, int64_t K, int64_t P, int64_t Q,
                   int64_t h, const LaneImage& dx) {
  const int64_t C = dx.C / s.groups, Kg = K / s.groups, taps = s.R * s.S;
  GatherRow row = {};
  row.outputs = C, row.channels = Kg;
  row.plane = walk.dy.plane, row.step = kLanes;
  row.w_output = taps, row.w_channel = C * taps;
  row.floor = kNoFloor;
  row.y_output = dx.plane, row.y_step = s.stride * kLanes;
  int64_t out_rows[kMaxTaps], row_taps = 0;
  for (int64_t r = 0; r < s.R; ++r) {
    const int64_t up = h + s.padding - r * s.dilation;
    if (up < 0 || up % s.stride || up / s.stride >= P) continue;
    out_rows[row_taps] = up / s.stride;
    row.w_rows[row_taps++] = r * s.S;
  }
  for (int64_t w0 = 0; w0 < smaller(s.stride, dx.W); ++w0) {
    const Residue of = residue(s, s.S, w0);
    row.columns = ceil_div(dx.W - w0, s.stride);
    row.R = of.count ? row_taps : 0;
    row.S = of.count;
    row.tap = -(of.step * s.dilation / s.stride) * kLanes;
    row.w_tap = of.step;
    const int64_t q = walk.left + (of.count ? (w0 + s.padding - of.first * s.dilation) / s.stride : 0);
    row.seen_begin = walk.left - q + larger(0, of.count - 1), row.seen_end = row.seen_begin + Q;
    const GatherPlan plan = plan_gather(row, false);
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t i = 0; i < row.R; ++i)
        row.rows[i] = walk.dy.at(out_rows[i]) + g * Kg * walk.dy.plane + q * kLanes;
      row.w = w + g * Kg * C * taps + (of.count ? of.first : 0);
      row.y = dx.data + g * C * dx.plane + h * dx.row + w0 * kLanes;
      gather_row(row, plan);
    }
  }
}

void backward(const LaneConvShape& s, const LaneImage& x, const float* w, const LaneGradient& g, float* sums,
              float* bias_sums, const LaneImage& dx, float* workspace) {
  if (one_tap(s) && !g.winners && x.H > 1 && one_run(x) && one_run(g.dy) && one_run(dx)) {
    const int64_t pixels = x.H * x.W;
    for (int64_t n = 0; n < pixels; n += kPiece) {
      const int64_t count = smaller(kPiece, pixels - n);
      LaneGradient part = g;
      part.dy = piece_of(g.dy, n, count);
      if (g.relu_y) part.relu_y += n * kLanes;
      part.P = 1, part.Q = count;
      backward(s, piece_of(x, n, count), w, part, sums, bias_sums, piece_of(dx, n, count), workspace);
    }
    return;
  }
  if (sums && dx.data && depthwise(s, x.C, g.dy.C))
    return depthwise_gradients(s, x, w, g, sums, bias_sums, dx, workspace);
  const int64_t K = g.dy.C, P = g.P, Q = g.Q;
  const bool by_channels = sums && channels_in_lanes(s, x.C);
  // ReLU or pooling undone on the way costs the units as much as a multiply-add or two a value: for several
  // passes over dy it is done once, into the ring.
  const bool by_rows = sums && !by_channels && undone_once(s, x.C, K, Q) && (g.winners || g.relu_y);
  if (sums && !by_channels && !by_rows) {
    image_weight_sums(s, x, g, sums, bias_sums, 0, P);
    bias_sums = nullptr;
  }
  if (!by_channels && !by_rows && !dx.data && !bias_sums) return;
  const Walk walk = walk_of(s, x.C, x.H, x.W, K, P, Q, workspace);
  zero_borders(walk, K, Q);
  LaneGradient plain;
  plain.dy = {walk.dy.data + walk.left * kLanes, K, P, Q, walk.dy.plane, walk.dy.row, walk.dy.count};
  plain.P = P, plain.Q = Q;
  int64_t h = 0;
  for (int64_t p0 = 0; p0 < P; p0 += walk.rows) {
    const int64_t p1 = smaller(P, p0 + walk.rows);
    for (int64_t p = p0; p < p1; ++p)
      expand_row(g, 0, K, p, walk.dy.at(p) + walk.left * kLanes, walk.dy.plane, bias_sums);
    if (by_channels) {
      RowRing inner = walk.dy;
      inner.data += walk.left * kLanes;
      channel_weight_sums(s, x, inner, K, Q, p0, p1, walk.turned, sums);
    }
    if (by_rows) image_weight_sums(s, x, plain, sums, nullptr, p0, p1);
    // Rows of dx that need no rows of dy beyond these.
    const int64_t end = p1 < P ? smaller(x.H, p1 * s.stride - s.padding) : x.H;
    if (dx.data)
      for (; h < end; ++h) gather_dx_row(s, walk, w, K, P, Q, h, dx);
  }
}

void weight_rows(const LaneConvShape& s, const LaneImage& x, const LaneGradient& g, float* sums,
                 float* bias_sums, int64_t p0, int64_t p1) {
  image_weight_sums(s, x, g, sums, bias_sums, p0, p1);
}

int64_t weight_sums(const LaneConvShape& s, int64_t C, int64_t K) {
  const int64_t Cg = C / s.groups;
  return K * s.R * s.S * (channels_in_lanes(s, C) ? ceil_div(Cg, kLanes) : Cg) * kLanes;
}

void finish_weights(const LaneConvShape& s, int64_t C, int64_t K, const float* sums, float* dw, int64_t k0,
                    int64_t k1) {
  const int64_t Cg = C / s.groups, Kg = K / s.groups, taps = s.R * s.S;
  if (!channels_in_lanes(s, C)) {
    for (int64_t i = k0 * Cg * taps; i < k1 * Cg * taps; ++i)
      dw[i] = lane_sum<float>(load(sums + i * kLanes));
    return;
  }
  const int64_t vectors = ceil_div(Cg, kLanes);
  for (int64_t k = k0; k < k1; ++k)
    for (int64_t c = 0; c < Cg; ++c)
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t column = (k / Kg * vectors + c / kLanes) * taps + t;
        dw[(k * Cg + c) * taps + t] = sums[(column * Kg + k % Kg) * kLanes + c % kLanes];
      }
}

int64_t workspace_floats(const LaneConvShape& s, int64_t C, int64_t H, int64_t W, int64_t K, int64_t P,
                         int64_t Q) {
  const int64_t rows = walk_of(s, C, H, W, K, P, Q, nullptr).floats;
  if (!one_tap(s)) return rows;
  const int64_t piece = smaller(kPiece, P * Q);
  return larger(rows, walk_of(s, C, 1, piece, K, 1, piece, nullptr).floats);
}

}  // namespace

extern const uncial::cpu::LaneConvSimd lane_conv_simd = {kLanes,       forward,        backward,
                                                         forward_rows, turned_rows,    weight_rows,
                                                         weight_sums,  finish_weights, workspace_floats};

}  // namespace UNCIAL_SIMD
