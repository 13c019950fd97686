// Winograd convolutions: the passes over tiles. Workspaces hold one pass: panels that are written and read
// again while they are in the level-2 cache.

#include "winograd_tiles.h"

namespace UNCIAL_SIMD {
namespace winograd {
namespace {

using uncial::cpu::LaneEpilogue;
using uncial::cpu::LaneGradient;
using uncial::cpu::LaneImage;

/// Groups of tiles that share a pass over the weights: as many as leave their panels within the level-2
/// cache.
int groups_a_pass(int64_t, int64_t) { return 1; }

int64_t weight_floats(int64_t C, int64_t K) {
  return kPoints * round_up(K, kBlock) / kBlock * weight_step(C);
}
int64_t weight_sums(int64_t C, int64_t K) { return kPoints * SumsLayout(C, K).point; }

/// Memory of one pass of backward(); forward() needs less.
struct Workspace {
  float *k_panels, *c_panels, *rows;
  int64_t floats;

  Workspace(float* memory, int64_t C, int64_t W, int64_t K) {
    const int groups = groups_a_pass(C, K);
    const int64_t by_tile = panel_floats(C), by_channel = ChannelPanel::floats(C);
    k_panels = memory;
    c_panels = k_panels + groups * panel_floats(K);
    rows = c_panels + groups * (by_tile > by_channel ? by_tile : by_channel);
    floats = rows + ChannelRows::floats(C, W) - memory;
  }
};

int64_t workspace_floats(int64_t C, int64_t W, int64_t K) { return Workspace(nullptr, C, W, K).floats; }

/// Columns that whole tiles read.
int64_t columns(int64_t Q) { return round_up(Q, 4) + 2; }

void forward(const LaneImage& x, int64_t padding, const float* u, const LaneEpilogue& epilogue, int64_t P,
             int64_t Q, float* memory) {
  const int64_t K = epilogue.y.C;
  const Workspace workspace(memory, x.C, columns(Q), K);
  if (epilogue.pool) P -= P % 2, Q -= Q % 2;
  TileWalk walk(P, Q);
  for (TilePass pass; walk.next(pass, groups_a_pass(x.C, K));) {
    for (int g = 0; g < pass.groups; ++g)
      transform_input(pass.group[g], x, padding, workspace.c_panels + g * panel_floats(x.C));
    forward_products(pass, x.C, K, u, workspace.c_panels, 0, K, workspace.k_panels);
    for (int g = 0; g < pass.groups; ++g)
      transform_output(pass.group[g], workspace.k_panels + g * panel_floats(K), epilogue, P, Q, 0, K);
  }
}

void backward(const LaneImage& x, int64_t padding, const float* u, const LaneGradient& dy, float* sums,
              float* bias_sums, const LaneImage& dx, float* memory) {
  const int64_t C = x.C, K = dy.dy.C;
  const Workspace workspace(memory, C, columns(dy.Q), K);
  ChannelRows rows(x, padding, columns(dy.Q), workspace.rows);
  TileWalk walk(dy.P, dy.Q);
  for (TilePass pass; walk.next(pass, groups_a_pass(C, K));) {
    for (int g = 0; g < pass.groups; ++g) {
      transform_gradient(pass.group[g], dy, workspace.k_panels + g * panel_floats(K), bias_sums);
      rows.transform(pass.group[g], workspace.c_panels + g * ChannelPanel::floats(C));
    }
    weight_gradient_products(pass, C, K, workspace.k_panels, workspace.c_panels, sums);
    if (!dx.data) continue;
    input_gradient_products(pass, C, K, u, workspace.k_panels, workspace.c_panels);
    for (int g = 0; g < pass.groups; ++g)
      transform_input_gradient(pass.group[g], workspace.c_panels + g * panel_floats(C), dx, padding);
  }
}

}  // namespace
}  // namespace winograd

extern const uncial::cpu::WinogradSimd winograd_simd = {kVectorBytes / int(sizeof(float)),
                                                        winograd::weight_floats,
                                                        winograd::transform_weights,
                                                        winograd::forward,
                                                        winograd::backward,
                                                        winograd::weight_sums,
                                                        winograd::finish_weights,
                                                        winograd::workspace_floats};

}  // namespace UNCIAL_SIMD
