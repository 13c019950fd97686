// Convolutions on the matrix unit: how the passes walk over the rows of an image.

#include "tile_conv.h"

#include "tile_weights.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::TileConvKernels;

/// From this many channels on both sides a tile is worth its price. Below, most of it would be padding.
constexpr int64_t kFewChannels = 8;

double padding(int64_t extent, int64_t unit) {
  return double(ceil_div(extent, unit) * unit) / double(extent);
}

/// Products that whole tiles make for each one that is asked for, mean of the three passes. The input
/// gradient reads dy with `stride` - 1 columns of zeros between its own.
double padding(const LaneConvShape& s, int64_t C, int64_t K) {
  const auto runs = [&](int64_t channels) {
    const Runs r(s, channels);
    return padding(r.taps * channels, kTileDepth);
  };
  const double filters = padding(K, kTileSide), channels = padding(C, kTileSide);
  return (runs(C) * filters + runs(K) * channels * double(s.stride) + filters * channels) / 3;
}

bool fits(const LaneConvShape& s, int64_t C, int64_t K) {
  constexpr double kWorthwhile = 0.75;  // measured with dot products, 16 to 256 channels, 1x1 to 7x7
  return s.groups == 1 && C >= kFewChannels && K >= kFewChannels && s.R <= kMaxTaps && s.S <= kMaxTaps &&
         padding(s, C, K) <= kWorthwhile * Tiles::kGain;
}

int64_t reach(int64_t taps, const LaneConvShape& s) { return (taps - 1) * s.dilation; }

/// x of the forward pass: with its halo, as many rows as a (pooled) row of outputs reads.
PackedRows packed_x(const LaneConvShape& s, int64_t C, int64_t W, char* data) {
  return {data, reach(s.R, s) + s.stride + 1, W + 2 * s.padding, C};
}
/// dy of the input gradient: a column for each one that a tap of dx reads, zeros between those of dy when
/// stride > 1; rows of one part and those before that its rows of dx read.
PackedRows packed_dy(const LaneConvShape& s, int64_t W, int64_t K, char* data) {
  return {data, TileWeightSums::kRows + ceil_div(reach(s.R, s), s.stride), W + reach(s.S, s), K};
}

struct BackwardMemory {
  PackedRows dy;
  TileWeightSums weights;
  float* row = nullptr;  ///< a row of dy in float32
  int64_t row_floats;

  BackwardMemory(const LaneConvShape& s, int64_t C, int64_t H, int64_t W, int64_t K, int64_t P, int64_t Q)
      : dy(packed_dy(s, W, K, nullptr)),
        weights{s, C, H, W, K, P, Q, nullptr, nullptr},
        row_floats(K * Q * kLanes) {}
  int64_t floats() const {
    return (dy.bytes() + weights.dy_bytes() + weights.x_bytes()) / int64_t(sizeof(float)) + row_floats;
  }
  void place(float* memory) {
    dy.data = reinterpret_cast<char*>(memory);
    weights.dy_rows = dy.data + dy.bytes();
    weights.x_rows = weights.dy_rows + weights.dy_bytes();
    row = reinterpret_cast<float*>(weights.x_rows + weights.x_bytes());
  }
};

int64_t workspace_floats(const LaneConvShape& s, int64_t C, int64_t W, int64_t K, int64_t Q) {
  return larger(packed_x(s, C, W, nullptr).bytes() / int64_t(sizeof(float)),
                BackwardMemory(s, C, 1, W, K, 1, Q).floats());
}

void add_run(GatherSums& g, const Runs& runs, int64_t r, int64_t tap_bytes, const char* weights,
             const char* upper, const char* lower) {
  for (int64_t t = 0; t < runs.S; ++t)
    g.runs[g.count++] = {upper + t * tap_bytes, lower + t * tap_bytes,
                         weights + (r * runs.S + t) * runs.bytes()};
}

void forward(const LaneConvShape& s, const LaneImage& x, const float* weights, const LaneEpilogue& epilogue,
             int64_t P, int64_t Q, float* workspace) {
  Tiles tiles;
  const Runs runs(s, x.C);
  const PackedRows rows = packed_x(s, x.C, x.W, reinterpret_cast<char*>(workspace));
  rows.clear();
  const int64_t two = epilogue.pool ? 2 : 1;
  GatherSums g;
  g.blocks = runs.blocks;
  g.tile_bytes = runs.tile_bytes();
  g.step = s.stride * rows.pixel_bytes();
  g.outputs = epilogue.y.C;
  g.columns = Q / two;
  const auto row = [&](int64_t h) { return h < 0 || h >= x.H ? rows.no_row() : rows.row(h); };
  int64_t next = 0;
  for (int64_t p = 0; p + two <= P; p += two) {
    const int64_t top = p * s.stride - s.padding, bottom = top + (two - 1) * s.stride + reach(s.R, s);
    for (next = larger(next, top); next <= bottom && next < x.H; ++next)
      rows.pack(next, 0, 1, x.at_row(next) - s.padding * kLanes, x.plane, rows.columns);
    g.count = 0;
    for (int64_t r = 0; r < s.R; ++r) {
      const int64_t h = top + r * s.dilation, below = h + (two - 1) * s.stride;
      if (row(h) == rows.no_row() && row(below) == rows.no_row()) continue;
      add_run(g, runs, r, s.dilation * rows.pixel_bytes(), reinterpret_cast<const char*>(weights), row(h),
              row(below));
    }
    gather_sums(tiles, g, epilogue, p / two);
  }
  if (epilogue.stream) end_streams();
}

/// Row h of dx, from the rows of dy that its taps see.
void input_gradient_row(Tiles& tiles, const LaneConvShape& s, const PackedRows& dy, const float* weights,
                        int64_t P, const LaneImage& dx, int64_t h) {
  const Runs runs(s, dy.channels);
  GatherSums g;
  g.blocks = runs.blocks;
  g.tile_bytes = runs.tile_bytes();
  g.step = dy.pixel_bytes();
  g.outputs = dx.C;
  g.columns = dx.W;
  for (int64_t r = 0; r < s.R; ++r) {
    const int64_t from = h + s.padding - r * s.dilation, p = floor_div(from, s.stride);
    if (p < 0 || p >= P || p * s.stride != from) continue;
    add_run(g, runs, r, s.dilation * dy.pixel_bytes(), reinterpret_cast<const char*>(weights), dy.row(p),
            dy.row(p));
  }
  LaneEpilogue plain;
  plain.y = dx;
  gather_sums(tiles, g, plain, h);
}

/// Packs row p of dy where taps of dx find it: column q of it lies in column q * stride + left.
void pack_dy_row(const LaneConvShape& s, const PackedRows& dy, int64_t p, const float* row, int64_t Q) {
  const int64_t left = reach(s.S, s) - s.padding;
  const int64_t first = larger(0, ceil_div(-left, s.stride)),
                end = smaller(Q, floor_div(dy.columns - 1 - left, s.stride) + 1);
  if (first < end)
    dy.pack(p, first * s.stride + left, s.stride, row + first * kLanes, Q * kLanes, end - first);
}

void backward(const LaneConvShape& s, const LaneImage& x, const float* turned_weights, const LaneGradient& dy,
              float* sums, float* bias_sums, const LaneImage& dx, float* workspace) {
  Tiles tiles;
  const int64_t K = dy.dy.C, P = dy.P, Q = dy.Q;
  BackwardMemory memory(s, x.C, x.H, x.W, K, P, Q);
  memory.place(workspace);
  if (dx.data) memory.dy.clear();
  int64_t h = 0;
  for (int64_t p0 = 0; p0 < P; p0 += TileWeightSums::kRows) {
    const int64_t p1 = smaller(P, p0 + TileWeightSums::kRows);
    for (int64_t p = p0; p < p1; ++p) {
      expand_row(dy, 0, K, p, memory.row, Q * kLanes, bias_sums);
      if (sums) memory.weights.pack_dy(p, memory.row, Q * kLanes);
      if (dx.data) pack_dy_row(s, memory.dy, p, memory.row, Q);
    }
    if (sums) memory.weights.add(tiles, x, p0, p1, sums);
    if (!dx.data) continue;
    // Rows that need no rows of dy beyond these.
    const int64_t end = p1 < P ? smaller(dx.H, p1 * s.stride - s.padding) : dx.H;
    for (; h < end; ++h) input_gradient_row(tiles, s, memory.dy, turned_weights, P, dx, h);
  }
}

int64_t weight_sums(const LaneConvShape& s, int64_t C, int64_t K) {
  return TileWeightSums{s, C, 1, 1, K, 1, 1, nullptr, nullptr}.floats();
}

}  // namespace

extern const TileConvKernels tile_conv_kernels = {Tiles::kGain > 4,
                                                  fits,
                                                  tile_weight_floats,
                                                  tile_turned_weight_floats,
                                                  pack_tile_weights,
                                                  pack_turned_tile_weights,
                                                  forward,
                                                  backward,
                                                  weight_sums,
                                                  finish_tile_weights,
                                                  workspace_floats};

}  // namespace UNCIAL_SIMD
