// Winograd convolutions: the passes over tiles. Workspaces hold one pass: panels that are written and read
// again while they are in the level-2 cache.

#include "winograd_tiles.h"

namespace UNCIAL_SIMD {
namespace winograd {
namespace {

using uncial::cpu::LaneEpilogue;
using uncial::cpu::LaneGradient;
using uncial::cpu::LaneImage;
using uncial::cpu::LaneTurnedRows;

int64_t greater(int64_t a, int64_t b) { return a > b ? a : b; }

/// Groups of tiles that share a pass over the weights. One leaves most of the level-2 cache to its panels,
/// and the weights stream in behind it; two pay once the weights come from beyond level 3's share of a core
/// (measured at 256 -> 256 channels: 10 %; at 128 -> 128: 10 % slower).
int groups_a_pass(int64_t C, int64_t K) { return C * K > 32768 ? 2 : 1; }

/// Filters whose products are finished at once: few, because their panel should stay in the level-2 cache
/// beside x's and the weights; but x's panel is read again for each such part.
int64_t filters_a_part(int64_t C) { return greater(16, round_up(C / 4, kBlock)); }

int64_t weight_floats(int64_t C, int64_t K) {
  return kPoints * round_up(K, kBlock) / kBlock * weight_step(C);
}
int64_t weight_sums(int64_t C, int64_t K) { return kPoints * SumsLayout(C, K).point; }

/// Where the parts of one pass begin in a workspace.
struct ForwardMemory {
  int64_t x = 0, m, end;

  ForwardMemory(int64_t C, int64_t K) {
    const int groups = groups_a_pass(C, K);
    m = x + groups * panel_floats(C);
    end = m + groups * panel_floats(lesser(K, filters_a_part(C)));
  }
};
template <int kEdge>
struct BackwardMemory {
  int64_t dy = 0, x, dx, rows, end;

  BackwardMemory(int64_t C, int64_t W, int64_t K) {
    const int groups = groups_a_pass(C, K);
    x = dx = dy + groups * panel_floats(K);  // dx comes when x is spent
    rows = x + groups * greater(ChannelPanel::floats(C), panel_floats(C));
    end = rows + ChannelRows<kEdge>::floats(C, W, groups * kTiles);
  }
};

template <int kEdge>
int64_t workspace_floats(int64_t C, int64_t W, int64_t K) {
  return greater(ForwardMemory(C, K).end, BackwardMemory<kEdge>(C, W, K).end);
}

template <int kEdge>
int64_t tile_rows(int64_t P) {
  return round_up(P, kEdge) / kEdge;
}
/// Columns that whole tiles read.
template <int kEdge>
int64_t columns(int64_t Q) {
  return round_up(Q, kEdge) + kPatch - kEdge;
}

template <int kEdge>
void forward_rows(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue,
                  int64_t P, int64_t Q, int64_t t0, int64_t t1, float* workspace) {
  const int64_t C = x.C, K = epilogue.y.C;
  const ForwardMemory memory(C, K);
  float *x_panels = workspace + memory.x, *m_panels = workspace + memory.m;
  if (epilogue.pool) P -= P % 2, Q -= Q % 2;  // no window reads the last one
  TileWalk<kEdge> walk(Q, t0, lesser(t1, tile_rows<kEdge>(P)));
  for (TilePass pass; walk.next(pass, groups_a_pass(C, K));) {
    for (int g = 0; g < pass.groups; ++g)
      transform_input(pass.group[g], x, padding, x_panels + g * panel_floats(C));
    for (int64_t k = 0; k < K; k += filters_a_part(C)) {
      const int64_t end = lesser(k + filters_a_part(C), K);
      forward_products(pass, C, K, u, x_panels, k, end, m_panels);
      for (int g = 0; g < pass.groups; ++g)
        transform_output<kEdge>(pass.group[g], m_panels + g * panel_floats(end - k), epilogue, P, Q, k, end);
    }
  }
  if (epilogue.stream) end_streams();
}

template <int kEdge>
void forward(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue, int64_t P,
             int64_t Q, float* workspace) {
  forward_rows<kEdge>(x, padding, u, epilogue, P, Q, 0, tile_rows<kEdge>(P), workspace);
}

template <int kEdge>
void backward_rows(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy, float* sums,
                   float* bias_sums, const LaneImage& dx, int64_t t0, int64_t t1, float* workspace) {
  const int64_t C = sums ? x.C : dx.C, K = dy.dy.C, W = columns<kEdge>(dy.Q);
  const int groups = groups_a_pass(C, K);
  const BackwardMemory<kEdge> memory(C, W, K);
  float *dy_panels = workspace + memory.dy, *x_panels = workspace + memory.x,
        *dx_panels = workspace + memory.dx;
  ChannelRows<kEdge> rows(x, padding, W, groups * kTiles, t0, workspace + memory.rows);
  TileWalk<kEdge> walk(dy.Q, t0, t1);
  for (TilePass pass; walk.next(pass, groups);) {
    if (sums) rows.advance(pass);
    for (int g = 0; g < pass.groups; ++g) {
      transform_gradient<kEdge>(pass.group[g], dy, dy_panels + g * panel_floats(K), bias_sums);
      if (sums) rows.transform(pass.group[g], x_panels + g * ChannelPanel::floats(C));
    }
    if (sums) weight_gradient_products(pass, C, K, dy_panels, x_panels, sums);
    if (!dx.data) continue;
    input_gradient_products(pass, C, K, u, dy_panels, dx_panels);
    for (int g = 0; g < pass.groups; ++g)
      transform_input_gradient<kEdge>(pass.group[g], dx_panels + g * panel_floats(C), dx, padding);
  }
}

template <int kEdge>
LaneTurnedRows turned_rows(const LaneImage& x, int64_t padding, int64_t K, int64_t Q, float* workspace) {
  const int tiles = groups_a_pass(x.C, K) * kTiles;
  const int64_t W = columns<kEdge>(Q), at = BackwardMemory<kEdge>(x.C, W, K).rows;
  LaneImage fitting = x;
  fitting.ring = lesser(x.ring, ChannelRows<kEdge>::ring_rows(W, tiles));
  return ChannelRows<kEdge>(fitting, padding, W, tiles, 0, workspace + at).layout();
}

template <int kEdge>
void backward(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy, float* sums,
              float* bias_sums, const LaneImage& dx, float* workspace) {
  backward_rows<kEdge>(x, padding, u, dy, sums, bias_sums, dx, 0, tile_rows<kEdge>(dy.P), workspace);
}

template <int kEdge>
constexpr uncial::cpu::WinogradSimd kKernels = {kLanes,
                                                {kTaps<kEdge>},
                                                weight_floats,
                                                transform_weights<kEdge>,
                                                forward<kEdge>,
                                                backward<kEdge>,
                                                forward_rows<kEdge>,
                                                backward_rows<kEdge>,
                                                turned_rows<kEdge>,
                                                weight_sums,
                                                finish_weights<kEdge>,
                                                workspace_floats<kEdge>};

}  // namespace
}  // namespace winograd

extern const uncial::cpu::WinogradSimd winograd_3x3_simd = winograd::kKernels<4>;
extern const uncial::cpu::WinogradSimd winograd_5x5_simd = winograd::kKernels<2>;

}  // namespace UNCIAL_SIMD
