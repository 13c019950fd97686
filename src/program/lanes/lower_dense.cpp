// Dense layers and their gradients. Small weights stay in the cache while a segment walks over the groups;
// with large ones a layer is a stage of its own, which reads them once for the whole batch.

#include <algorithm>

#include "layout_nodes.h"
#include "planner.h"
#include "tile_dense_stages.h"

namespace uncial::program::lanes {
namespace {

/// Weights up to this are multiplied by one group at a time, within its segment. That loads a weight for each
/// multiply-add, which halves the speed, but saves what a segment's end costs: keeping its values for a later
/// one.
constexpr int64_t kSmallWeights = 64 * 1024;  // bytes

using Extent = DenseExtent;
bool small(Extent e) { return e.K * e.D * int64_t(sizeof(float)) <= kSmallWeights; }

cpu::LaneMatrix matrix(const GroupRun& g, int v) { return {g.memory(v), 0}; }

/// y = x w^T + bias, and ReLU when asked for
class DenseNode final : public Node {
 public:
  DenseNode(Extent e, int x, int w, int b, bool relu, int y)
      : e_(e), x_(x), w_(w), b_(b), relu_(relu), y_(y) {
    lanes = {x, y};
    makes = {y};
    rows = {w};
    if (b >= 0) rows.push_back(b);
  }
  std::string name() const override { return relu_ ? "linear+relu" : "linear"; }
  void run(const GroupRun& g) const override {
    g.table.kernels.dense.forward(matrix(g, x_), 1, g.operand(w_), e_.D, b_ >= 0 ? g.operand(b_) : nullptr,
                                  matrix(g, y_), 0, e_.K, 0, e_.D, false, relu_);
  }

 private:
  Extent e_;
  int x_, w_, b_;
  bool relu_;
  int y_;
};

/// dx = dy w
class DenseInputGradientNode final : public Node {
 public:
  DenseInputGradientNode(Extent e, int dy, int w, int dx) : e_(e), dy_(dy), w_(w), dx_(dx) {
    lanes = {dy, dx};
    makes = {dx};
    rows = {w};
  }
  std::string name() const override { return "linear_input_gradient"; }
  void run(const GroupRun& g) const override {
    g.table.kernels.dense.input_gradient(matrix(g, dy_), 1, g.operand(w_), e_.D, e_.K, matrix(g, dx_), 0,
                                         e_.D);
  }

 private:
  Extent e_;
  int dy_, w_, dx_;
};

/// dw = dy^T x
class DenseWeightGradientNode final : public ReducingNode {
 public:
  DenseWeightGradientNode(Extent e, int dy, int x, int dw) : e_(e), dy_(dy), x_(x), dw_(dw) {
    lanes = {dy, x};
    rows = {dw};
  }
  std::string name() const override { return "linear_weight_gradient"; }
  int64_t slot_floats(const LaneTable&) const override { return e_.K * e_.D; }
  int64_t workspace_floats(const LaneTable& t) const override {
    return t.kernels.lanes * ceil_div(e_.D, 64) * 64;
  }
  void run(const GroupRun& g) const override {
    g.table.kernels.dense.weight_gradient(matrix(g, dy_), matrix(g, x_), 1, g.samples, slot(g), e_.D, e_.K, 0,
                                          e_.D, true, g.workspace);
  }
  void finish(const LaneTable&, const Runtime& runtime, const float* sums, int64_t) const override {
    std::copy_n(sums, e_.K * e_.D, runtime.views[size_t(dw_)].as<float>());
  }

 private:
  Extent e_;
  int dy_, x_, dw_;
};

/// A product of bfloat16 factors, where there is a matrix unit.
bool runs_on_tiles(const Planner& p, int step) {
  return p.kernels().tile_dense && attribute<std::string>(*p.graph().step(step).op, "precision") == "bf16";
}

template <class SmallNode, class BatchStage, class TileStage, class... Values>
void add_dense(Planner& p, Extent e, const std::vector<int>& steps, const std::vector<int>& in,
               const std::vector<int>& out, Values... values) {
  if (small(e)) {
    auto node = std::make_unique<SmallNode>(e, values...);
    node->steps = steps;
    p.add(std::move(node));
  } else if (runs_on_tiles(p, steps.front())) {
    p.add_stage(std::make_unique<TileStage>(p.table(), e, steps, values...), in, out);
  } else {
    p.add_stage(std::make_unique<BatchStage>(p.table(), e, steps, values...), in, out);
  }
}

void lower_forward(Planner& p, int step, int xv, int wv, int bv, Extent e) {
  p.need_rows(wv);
  if (bv >= 0) p.need_rows(bv);
  const int relu = p.graph().only_relu(p.graph().out(step)), last = relu >= 0 ? relu : step;
  if (relu >= 0) p.fusions().absorbed[size_t(relu)] = true;
  const int x = p.flat_in_lanes(xv), y = p.make(p.graph().out(last));
  p.fix(y);
  std::vector<int> steps = {step};
  if (relu >= 0) steps.push_back(relu);
  add_dense<DenseNode, DenseForwardStage, TileDenseForwardStage>(p, e, steps, {x}, {y}, x, wv, bv, relu >= 0,
                                                                 y);
}

/// A value (N, D) whose window is (D, N): the transpose of what is in the lanes.
bool is_transposed(const Planner& p, int value) {
  const Value& v = p.graph().value(value);
  return v.dtype == DType::float32 && v.offset == 0 && v.shape.rank() == 2 && v.shape[1] == p.samples() &&
         v.strides[0] == 1 && v.strides[1] == v.shape[0] &&
         count(v.shape) * int64_t(sizeof(float)) == p.graph().buffer(v.buffer).bytes;
}

}  // namespace

bool lower_linear(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int x = graph.in(step, 0), w = graph.in(step, 1), b = graph.in(step, 2);
  if (!p.fits_lanes(x) || graph.value(x).shape.rank() != 2 || !p.plain_rows(w) || !p.plain_rows(b))
    return false;
  lower_forward(p, step, x, w, b, {graph.value(w).shape[0], graph.value(w).shape[1]});
  return true;
}

bool lower_matmul(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int a = graph.in(step, 0), b = graph.in(step, 1), y = graph.out(step);
  const Value &left = graph.value(a), &right = graph.value(b);
  if (left.dtype != DType::float32 || left.shape.rank() != 2 || right.shape.rank() != 2) return false;
  if (is_transposed(p, a) && p.fits_lanes(b)) {  // dw = dy^T x
    const Extent e{left.shape[0], right.shape[1]};
    const int rows_of_left = p.in_lanes(a), x = p.flat_in_lanes(b);
    add_dense<DenseWeightGradientNode, DenseWeightGradientStage, TileDenseWeightGradientStage>(
        p, e, {step}, {rows_of_left, x}, {}, rows_of_left, x, y);
    p.makes_rows(y);
    return true;
  }
  if (!p.fits_lanes(a)) return false;
  if (p.plain_rows(b)) {  // dx = dy w
    const Extent e{right.shape[0], right.shape[1]};
    p.need_rows(b);
    const int dy = p.flat_in_lanes(a), dx = p.make(y);
    p.fix(dx);
    add_dense<DenseInputGradientNode, DenseInputGradientStage, TileDenseInputGradientStage>(
        p, e, {step}, {dy}, {dx}, dy, b, dx);
    return true;
  }
  if (right.strides[0] == 1 && right.strides[1] == right.shape[0] && p.is_plain_buffer(b)) {  // x w^T
    lower_forward(p, step, a, b, -1, {right.shape[1], right.shape[0]});
    return true;
  }
  return false;
}

}  // namespace uncial::program::lanes
