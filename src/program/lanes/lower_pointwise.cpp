// Operators that work on element after element: they run as they are, on the memory of a group.

#include "layout_nodes.h"
#include "planner.h"

namespace uncial::program::lanes {
namespace {

class PointwiseNode final : public Node {
 public:
  struct Operand {
    int lane = -1;   ///< or
    int value = -1;  ///< one element, row-major
  };
  PointwiseNode(std::shared_ptr<const Op> op, std::vector<Operand> in, int out)
      : op_(std::move(op)), in_(std::move(in)), out_(out) {
    for (const Operand& x : in_) (x.lane >= 0 ? lanes : rows).push_back(x.lane >= 0 ? x.lane : x.value);
    lanes.push_back(out);
    makes = {out};
  }
  std::string name() const override { return std::string(op_->name()); }
  void run(const GroupRun& g) const override {
    View in[4], out = view(g, out_);
    for (size_t i = 0; i < in_.size(); ++i)
      in[i] = in_[i].lane >= 0 ? view(g, in_[i].lane) : g.runtime.views[size_t(in_[i].value)];
    op_->run({{in, in_.size()}, {&out, 1}, nullptr});
  }

 private:
  /// All of a value's memory, halo included, as one run.
  static View view(const GroupRun& g, int v) {
    const int64_t size = g.table.floats(g.table.values[size_t(v)]);
    return {g.memory(v), DType::float32, Device::cpu(), {size}, {1}};
  }
  std::shared_ptr<const Op> op_;
  std::vector<Operand> in_;
  int out_;
};

/// Sum over samples: the gradient of a bias.
class ColumnSumNode final : public ReducingNode {
 public:
  ColumnSumNode(int x, int64_t features, int out) : x_(x), features_(features), out_(out) {
    lanes = {x};
    rows = {out};
  }
  std::string name() const override { return "sum"; }
  bool slot_a_group() const override { return true; }
  int64_t slot_floats(const LaneTable&) const override { return 2 * features_; }  // doubles
  void run(const GroupRun& g) const override {
    auto* sums = reinterpret_cast<double*>(slot(g));
    g.table.kernels.dense.lane_sums(g.memory(x_), features_, g.samples, sums);
  }
  void finish(const LaneTable& t, const Runtime& runtime, const float*, int64_t) const override {
    float* y = runtime.views[size_t(out_)].as<float>();
    for (int64_t d = 0; d < features_; ++d) {
      double sum = 0;
      for (int64_t s = 0; s < t.groups(); ++s) sum += reinterpret_cast<const double*>(slot(t, runtime, s))[d];
      y[d] = float(sum);
    }
  }

 private:
  int x_;
  int64_t features_;
  int out_;
};

}  // namespace

bool lower_pointwise(Planner& p, int step) {
  const Graph& graph = p.graph();
  const Step& s = graph.step(step);
  const int y = s.outputs[0];
  if (s.outputs.size() != 1 || s.inputs.size() > 4 || !p.fits_lanes(y)) return false;
  for (int v : s.inputs) {
    const bool one = count(graph.value(v).shape) == 1 && graph.value(v).dtype == DType::float32;
    if (!one && !(p.fits_lanes(v) && graph.value(v).shape == graph.value(y).shape)) return false;
  }
  // Without an operand in the lanes there is nothing to gain by loading.
  if (std::none_of(s.inputs.begin(), s.inputs.end(),
                   [&](int v) { return count(graph.value(v).shape) > 1 && p.is_in_lanes(v); }))
    return false;
  for (int v : s.inputs)
    if (count(graph.value(v).shape) == 1) p.need_rows(v);
  std::vector<PointwiseNode::Operand> operands;
  int first = -1;
  for (int v : s.inputs) {
    if (count(graph.value(v).shape) == 1) {
      operands.push_back({.lane = -1, .value = v});
      continue;
    }
    const int lane = first < 0 ? p.shaped_in_lanes(v) : p.in_lanes_like(v, first);
    if (first < 0) first = lane;
    operands.push_back({.lane = lane, .value = -1});
  }
  const int out = p.make(y);
  ensure(p.tie(out, first), "a fresh lane value has no geometry of its own");
  auto node = std::make_unique<PointwiseNode>(s.op, std::move(operands), out);
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

bool lower_sum(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int x = graph.in(step, 0);
  const Op& op = *graph.step(step).op;
  if (attribute<int64_t>(op, "first_axis") == 2) return lower_pixel_sums(p, step);
  if (attribute<int64_t>(op, "first_axis") != 0 || attribute<int64_t>(op, "last_axis") != 1) return false;
  if (!p.fits_lanes(x) || graph.value(x).shape.rank() != 2 || !p.is_in_lanes(x)) return false;
  auto node = std::make_unique<ColumnSumNode>(p.flat_in_lanes(x), graph.value(x).shape[1], graph.out(step));
  node->steps = {step};
  p.add(std::move(node));
  p.makes_rows(graph.out(step));
  return true;
}

}  // namespace uncial::program::lanes
