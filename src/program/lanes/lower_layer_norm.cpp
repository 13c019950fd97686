// Layer normalisation of features (N, D): a lane has a row of its own.

#include "planner.h"

namespace uncial::program::lanes {
namespace {

class LayerNormNode final : public Node {
 public:
  struct Operands {
    int x, scale, shift;   ///< a lane value; row-major
    int y, mean, inverse;  ///< lane values
  };
  LayerNormNode(const Operands& operands, int64_t features, double epsilon)
      : o_(operands), D_(features), epsilon_(epsilon) {
    lanes = {o_.x, o_.y, o_.mean, o_.inverse};
    makes = {o_.y, o_.mean, o_.inverse};
    rows = {o_.scale, o_.shift};
  }
  std::string name() const override { return "layer_norm"; }
  void run(const GroupRun& g) const override {
    g.table.kernels.layer_norm.forward(g.memory(o_.x), D_, g.operand(o_.scale), g.operand(o_.shift), epsilon_,
                                       g.memory(o_.y), g.memory(o_.mean), g.memory(o_.inverse));
  }

 private:
  Operands o_;
  int64_t D_;
  double epsilon_;
};

class LayerNormGradientNode final : public ReducingNode {
 public:
  struct Operands {
    int dy, x, mean, inverse;  ///< lane values
    int scale;                 ///< row-major
    int dx;                    ///< a lane value
    int dscale, dshift;        ///< row-major
  };
  LayerNormGradientNode(const Operands& operands, int64_t features) : o_(operands), D_(features) {
    lanes = {o_.dy, o_.x, o_.mean, o_.inverse, o_.dx};
    makes = {o_.dx};
    rows = {o_.scale, o_.dscale, o_.dshift};
  }
  std::string name() const override { return "layer_norm_gradient"; }
  int64_t slot_floats(const LaneTable& t) const override { return 2 * D_ * t.kernels.lanes; }
  void run(const GroupRun& g) const override {
    float* scale_sums = slot(g);
    g.table.kernels.layer_norm.backward(g.memory(o_.dy), g.memory(o_.x), D_, g.operand(o_.scale),
                                        g.memory(o_.mean), g.memory(o_.inverse), g.samples, g.memory(o_.dx),
                                        scale_sums, scale_sums + D_ * g.table.kernels.lanes);
  }
  void finish(const LaneTable& t, const Runtime& runtime, const float* sums, int64_t) const override {
    const auto totals = t.kernels.layer_norm.lane_totals;
    totals(sums, D_, runtime.views[size_t(o_.dscale)].as<float>());
    totals(sums + D_ * t.kernels.lanes, D_, runtime.views[size_t(o_.dshift)].as<float>());
  }

 private:
  Operands o_;
  int64_t D_;
};

bool is_features(const Planner& p, int value) {
  return p.fits_lanes(value) && p.graph().value(value).shape.rank() == 2;
}

/// A lane value without a halo for a result.
int make_flat(Planner& p, int value) {
  const int v = p.make(value);
  p.fix(v);
  return v;
}

}  // namespace

bool lower_layer_norm(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int xv = graph.in(step, 0), scale = graph.in(step, 1), shift = graph.in(step, 2);
  if (!is_features(p, xv) || !p.is_in_lanes(xv) || !p.plain_rows(scale) || !p.plain_rows(shift)) return false;
  for (int v : {scale, shift}) p.need_rows(v);
  const int x = p.flat_in_lanes(xv);
  auto node = std::make_unique<LayerNormNode>(
      LayerNormNode::Operands{.x = x,
                              .scale = scale,
                              .shift = shift,
                              .y = make_flat(p, graph.out(step)),
                              .mean = make_flat(p, graph.out(step, 1)),
                              .inverse = make_flat(p, graph.out(step, 2))},
      graph.value(xv).shape[1], attribute<double>(*graph.step(step).op, "epsilon"));
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

bool lower_layer_norm_gradient(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int dy = graph.in(step, 0), xv = graph.in(step, 1), scale = graph.in(step, 2);
  for (int v : {dy, xv, graph.in(step, 3), graph.in(step, 4)})
    if (!is_features(p, v)) return false;
  if (!p.is_in_lanes(dy) || !p.plain_rows(scale)) return false;
  p.need_rows(scale);
  LayerNormGradientNode::Operands o{.dy = p.flat_in_lanes(dy),
                                    .x = p.flat_in_lanes(xv),
                                    .mean = p.flat_in_lanes(graph.in(step, 3)),
                                    .inverse = p.flat_in_lanes(graph.in(step, 4)),
                                    .scale = scale,
                                    .dx = -1,
                                    .dscale = graph.out(step, 1),
                                    .dshift = graph.out(step, 2)};
  o.dx = make_flat(p, graph.out(step));
  auto node = std::make_unique<LayerNormGradientNode>(o, graph.value(xv).shape[1]);
  node->steps = {step};
  p.add(std::move(node));
  for (int v : {o.dscale, o.dshift}) p.makes_rows(v);
  return true;
}

}  // namespace uncial::program::lanes
