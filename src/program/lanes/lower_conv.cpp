// Convolutions: Winograd's form where it saves multiplications, the direct form elsewhere.

#include <algorithm>
#include <utility>

#include "folded_filters.h"

namespace uncial::program::lanes {
namespace {

/// Winner codes of a fused pooling, when the gradient wants them.
int make_winners(Planner& p, int step, const Conv& conv) {
  const auto& gradients = p.fusions().conv_gradients;
  if (std::none_of(gradients.begin(), gradients.end(),
                   [&](const auto& g) { return g.second.forward == step; }))
    return -1;
  LaneValue codes;
  codes.C = conv.K;
  codes.H = conv.P / 2;
  codes.W = conv.Q / 2;
  codes.codes = true;
  return p.make_lane(codes);
}

std::unique_ptr<ConvNode> conv_node(Planner& p, int step, const Conv& conv, int result) {
  const Step& s = p.graph().step(step);
  const int b = s.inputs.size() > 2 ? s.inputs[2] : -1;
  p.need_rows(s.inputs[1]);
  if (b >= 0) p.need_rows(b);
  const int x = p.image_in_lanes(s.inputs[0], conv.halo());
  return std::make_unique<ConvNode>(conv, x, s.inputs[1], b, p.make(result));
}

/// Gradients of one convolution, dx included.
std::unique_ptr<ConvGradientNode> gradient_node(Planner& p, const ConvGradientFusion& f, const Conv& conv,
                                                int dy) {
  const int w = f.input >= 0 ? p.graph().in(f.input, 1) : -1;
  const int x = f.weight >= 0 ? p.image_in_lanes(p.graph().in(f.weight, 0), conv.halo()) : dy;
  auto node = std::make_unique<ConvGradientNode>(conv, x, w, dy);
  // Without a weight gradient there is no x at hand, which Winograd's form reads in any case.
  node->sums.winograd = conv.winograd() && f.weight >= 0;
  if (f.input < 0) return node;
  node->dx = p.make(p.graph().out(f.input));
  node->lanes.push_back(node->dx);
  node->makes.push_back(node->dx);
  node->u = tile_weights(p, conv, w, true);
  if (node->sums.winograd) {
    node->u = winograd_weights(p, conv, w);
    ensure(p.tie(node->dx, x), "a fresh lane value has no geometry of its own");
  }
  return node;
}

}  // namespace

bool lower_conv(Planner& p, int step) {
  const auto found = p.fusions().convs.find(step);
  if (found == p.fusions().convs.end()) return false;
  const Graph& graph = p.graph();
  ConvFusion& fusion = found->second;
  const int wv = graph.in(step, 1);
  Conv conv(*graph.step(step).op, graph.value(graph.in(step, 0)).shape, graph.value(wv).shape);
  // Weights that a normalisation is folded into are no bfloat16 values.
  if (fusion.norm < 0) conv.choose_tiles(p, *graph.step(step).op);
  std::unique_ptr<ConvNode> node =
      fusion.ahead >= 0 ? chained_conv(p, step, conv) : conv_node(p, step, conv, fusion.result);
  const int y = node->y();
  if (fusion.dropout >= 0) {
    for (size_t i : {1, 2}) p.need_rows(graph.in(fusion.dropout, i));
    p.fix(y);
  }
  node->relu = fusion.relu >= 0;
  node->pool = fusion.pool >= 0;
  if (fusion.sum.step >= 0) {
    node->skip = p.image_in_lanes(fusion.sum.other, {});
    node->lanes.push_back(node->skip);
  }
  node->folded = folded_filters(p, step, conv);
  if (!node->folded) node->u = conv.tiles ? tile_weights(p, conv, wv, false) : winograd_weights(p, conv, wv);
  fusion.winners = node->winners = make_winners(p, step, conv);
  if (fusion.winners >= 0) node->lanes.push_back(fusion.winners);
  for (int s : {step, fusion.norm, fusion.sum.step, fusion.relu, fusion.pool})
    if (s >= 0) node->steps.push_back(s);
  p.add(std::move(node));
  if (fusion.dropout >= 0) add_dropout(p, fusion.dropout, y, y, fusion.winners);
  return true;
}

bool lower_conv_gradients(Planner& p, int step) {
  const auto found = p.fusions().conv_gradients.find(step);
  if (found == p.fusions().conv_gradients.end()) return false;
  const Graph& graph = p.graph();
  const ConvGradientFusion& f = found->second;
  const bool has_x = f.weight >= 0;
  const Shape x_shape = graph.value(has_x ? graph.in(f.weight, 0) : graph.out(f.input)).shape;
  const Shape w_shape = graph.value(has_x ? graph.out(f.weight) : graph.in(f.input, 1)).shape;
  Conv conv(*graph.step(step).op, x_shape, w_shape);
  conv.choose_tiles(p, *graph.step(step).op);
  if (f.input >= 0) p.need_rows(graph.in(f.input, 1));

  const int relu_y = f.relu_y >= 0 ? p.in_lanes(f.relu_y) : -1;
  int dy = relu_y >= 0 ? p.in_lanes_like(f.dy, relu_y) : p.image_in_lanes(f.dy, {});
  float scale = f.dropout >= 0 ? float(1 / (1 - attribute<double>(*graph.step(f.dropout).op, "p"))) : 1.0f;
  // Tiles round dy when they pack it, but sum biases from what they get.
  if (f.round >= 0 && !(conv.tiles && f.bias < 0))
    dy = rounded_gradient(p, f.round, f.dy, dy, std::exchange(scale, 1.0f));
  std::unique_ptr<ConvGradientNode> node =
      f.ahead >= 0 ? chained_conv_gradient(p, f, conv, dy) : gradient_node(p, f, conv, dy);
  node->relu_y = relu_y;
  if (relu_y >= 0) node->lanes.push_back(relu_y);
  if (f.forward >= 0) {
    node->winners = p.fusions().convs.at(f.forward).winners;
    node->lanes.push_back(node->winners);
    node->scale = scale;
    if (f.dropout >= 0) node->steps.push_back(f.dropout);
  }
  for (int s : {f.input, f.weight, f.bias})
    if (s >= 0) node->steps.push_back(s);
  node->sums.weight_out = f.weight >= 0 ? graph.out(f.weight) : -1;
  node->sums.bias_out = f.bias >= 0 ? graph.out(f.bias) : -1;
  std::vector<int> results = node->results();
  node->rows.insert(node->rows.end(), results.begin(), results.end());
  p.add(std::move(node));
  for (int v : results) p.makes_rows(v);
  return true;
}

}  // namespace uncial::program::lanes
