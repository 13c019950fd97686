// Rounding to 16 bits of what convolutions and dense layers read.

#include <algorithm>

#include "conv_nodes.h"
#include "layout_nodes.h"

namespace uncial::program::lanes {
namespace {

/// y = scale * x, rounded; halos, which hold zeros, stay zeros. x and y may be one value.
class RoundNode final : public Node {
 public:
  RoundNode(Precision to, int x, int y, float scale) : to_(to), x_(x), y_(y), scale_(scale) {
    lanes = {x, y};
    makes = {y};
  }
  std::string name() const override { return to_ == Precision::bf16 ? "round_bfloat16" : "round_float16"; }
  void run(const GroupRun& g) const override {
    const cpu::RoundingSimd& rounding = g.table.kernels.rounding;
    (to_ == Precision::bf16 ? rounding.bfloat16 : rounding.float16)(
        g.memory(x_), scale_, g.memory(y_), g.table.floats(g.table.values[size_t(y_)]));
  }

 private:
  Precision to_;
  int x_, y_;
  float scale_;
};

void add_node(Planner& p, int step, int x, int y, float scale) {
  auto node = std::make_unique<RoundNode>(p.graph().rounds_to(step), x, y, scale);
  node->steps = {step};
  p.add(std::move(node));
}

/// True when nobody would notice that the value itself is rounded: a ReLU's gradient only asks whether it is
/// above 0.
bool only_signs_matter(const Graph& graph, int buffer, int rounding) {
  const auto& readers = graph.readers(buffer);
  return graph.temporary(buffer) && std::all_of(readers.begin(), readers.end(), [&](int s) {
           return s == rounding || (graph.is(s, "unary_backward") && graph.in_buffer(s, 0) == buffer &&
                                    graph.in_buffer(s, 1) != buffer &&
                                    attribute<std::string>(*graph.step(s).op, "of") == "relu");
         });
}

bool on_tiles(const Planner& p, int step, const Shape& x, const Shape& w) {
  const Op& op = *p.graph().step(step).op;
  Conv conv(op, x, w);
  conv.choose_tiles(p, op);
  return conv.tiles;
}

/// Whether `step` is a convolution, or the gradient of its weights, that rounds x = `value` while it packs
/// it.
bool rounds_by_itself(Planner& p, int step, int value) {
  const Graph& graph = p.graph();
  const Shape& x = graph.value(value).shape;
  const auto reads_only_as_x = [&] {
    return graph.in_buffer(step, 0) == graph.value(value).buffer &&
           graph.in_buffer(step, 1) != graph.value(value).buffer && graph.value(graph.in(step, 0)).shape == x;
  };
  const auto& convs = p.fusions().convs;
  if (const auto forward = convs.find(step); forward != convs.end())
    return forward->second.norm < 0 && reads_only_as_x() &&
           on_tiles(p, step, x, graph.value(graph.in(step, 1)).shape);
  for (const auto& [first, gradient] : p.fusions().conv_gradients)
    if (gradient.weight == step)
      return reads_only_as_x() && on_tiles(p, step, x, graph.value(graph.out(step)).shape);
  return false;
}

}  // namespace

bool lower_round(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int from = graph.in(step, 0), to = graph.out(step);
  if (!p.fits_lanes(from) || !p.is_in_lanes(from)) return false;
  const int x = p.shaped_in_lanes(from);
  const auto& readers = graph.readers(graph.value(to).buffer);
  if (graph.rounds_to(step) == Precision::bf16 && graph.temporary(graph.value(from).buffer) &&
      graph.temporary(graph.value(to).buffer) &&
      std::all_of(readers.begin(), readers.end(), [&](int s) { return rounds_by_itself(p, s, to); })) {
    p.makes_lane(to, x);
    return true;
  }
  if (only_signs_matter(graph, graph.value(from).buffer, step)) {
    p.makes_lane(to, x);
    add_node(p, step, x, x, 1);
    return true;
  }
  const int y = p.make(to);
  ensure(p.tie(y, x), "a fresh lane value has no geometry of its own");
  add_node(p, step, x, y, 1);
  return true;
}

int rounded_gradient(Planner& p, int step, int value, int lane, float scale) {
  const int buffer = p.graph().value(value).buffer;
  const bool alone =
      p.is_in_lanes(value) && p.graph().temporary(buffer) && p.graph().readers(buffer).size() == 1;
  int to = lane;
  if (!alone) {
    to = p.make_lane(p.lane(lane));
    ensure(p.tie(to, lane), "a fresh lane value has no geometry of its own");
  }
  add_node(p, step, lane, to, scale);
  return to;
}

}  // namespace uncial::program::lanes
