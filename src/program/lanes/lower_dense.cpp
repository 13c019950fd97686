// Dense layers and their gradients. Small weights stay in the cache while a segment walks over the groups;
// with large ones a layer is a stage of its own, which reads them once for the whole batch.

#include <algorithm>

#include "layout_nodes.h"
#include "planner.h"
#include "scratch.h"
#include "tile_dense_stages.h"
#include "uncial/core/parallel.h"

namespace uncial::program::lanes {
namespace {

/// Weights up to this are multiplied by one group at a time, within its segment. That loads a weight for each
/// multiply-add, which halves the speed, but saves what a segment's end costs: keeping its values for a later
/// one.
constexpr int64_t kSmallWeights = 64 * 1024;  // bytes

struct Extent {
  int64_t K, D;
  bool small() const { return K * D * int64_t(sizeof(float)) <= kSmallWeights; }
};

cpu::LaneMatrix matrix(const GroupRun& g, int v) { return {g.memory(v), 0}; }

/// y = x w^T + bias
class DenseNode final : public Node {
 public:
  DenseNode(Extent e, int x, int w, int b, int y) : e_(e), x_(x), w_(w), b_(b), y_(y) {
    lanes = {x, y};
    makes = {y};
    rows = {w};
    if (b >= 0) rows.push_back(b);
  }
  std::string name() const override { return "linear"; }
  void run(const GroupRun& g) const override {
    g.table.kernels.dense.forward(matrix(g, x_), 1, g.operand(w_), e_.D, b_ >= 0 ? g.operand(b_) : nullptr,
                                  matrix(g, y_), 0, e_.K, 0, e_.D, false);
  }

 private:
  Extent e_;
  int x_, w_, b_, y_;
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

/// A layer on the whole batch.
class DenseStage : public Stage {
 public:
  DenseStage(std::shared_ptr<LaneTable> table, Extent e, int step, std::vector<int> rows)
      : table_(std::move(table)), e_(e) {
    steps_ = {step};
    values_ = std::move(rows);
  }

 protected:
  cpu::LaneMatrix matrix(const Runtime& runtime, int v) const {
    const LaneValue& x = table_->values[size_t(v)];
    return {reinterpret_cast<float*>(runtime.arena + x.block.offset), x.group_bytes / int64_t(sizeof(float))};
  }
  static cpu::LaneMatrix from_row(cpu::LaneMatrix m, int64_t row, int64_t lanes) {
    return {m.data + row * lanes, m.distance};
  }
  const cpu::LaneDenseSimd& kernels() const { return table_->kernels.dense; }

  std::shared_ptr<LaneTable> table_;
  Extent e_;
};

/// Outputs are cut into blocks; where there are too few of them to go round, inputs are cut too, and the
/// parts are added in order. How depends on the extents alone.
class DenseForwardStage final : public DenseStage {
 public:
  DenseForwardStage(std::shared_ptr<LaneTable> table, Extent e, int step, int x, int w, int b, int y)
      : DenseStage(std::move(table), e, step, b >= 0 ? std::vector<int>{w, b} : std::vector<int>{w}),
        x_(x),
        w_(w),
        b_(b),
        y_(y) {
    constexpr int64_t kOutputs = 48, kTasks = 8, kShortest = 512;
    outputs_ = kOutputs;
    parts_ = std::clamp<int64_t>(e.D / kShortest, 1, ceil_div(kTasks, ceil_div(e.K, kOutputs)));
  }
  std::string name() const override { return "linear (batch)"; }
  void run(const Runtime& runtime) override {
    const int64_t lanes = table_->kernels.lanes, groups = table_->groups(), blocks = ceil_div(e_.K, outputs_);
    const int64_t part_floats = groups * e_.K * lanes;
    const cpu::LaneMatrix x = matrix(runtime, x_), y = matrix(runtime, y_);
    const float *w = runtime.views[size_t(w_)].as<const float>(),
                *b = b_ >= 0 ? runtime.views[size_t(b_)].as<const float>() : nullptr;
    float* sums =
        parts_ > 1 ? cpu::scratch<float>(cpu::ScratchSlot::slots, (parts_ - 1) * part_floats) : nullptr;
    const auto target = [&](int64_t part) {
      return part == 0 ? y : cpu::LaneMatrix{sums + (part - 1) * part_floats, e_.K * lanes};
    };
    parallel_for(blocks * parts_, [&](int64_t task) {
      const int64_t part = task / blocks, k0 = task % blocks * outputs_, k1 = std::min(k0 + outputs_, e_.K);
      kernels().forward(x, groups, w, e_.D, part == 0 ? b : nullptr, target(part), k0, k1,
                        part * e_.D / parts_, (part + 1) * e_.D / parts_, false);
    });
    if (parts_ == 1) return;
    parallel_for(groups, [&](int64_t g) {
      for (int64_t part = 1; part < parts_; ++part) {
        const cpu::LaneMatrix from = target(part);
        for (int64_t i = 0; i < e_.K * lanes; ++i)
          y.data[g * y.distance + i] += from.data[g * from.distance + i];
      }
    });
  }

 private:
  int x_, w_, b_, y_;
  int64_t outputs_, parts_;
};

class DenseInputGradientStage final : public DenseStage {
 public:
  DenseInputGradientStage(std::shared_ptr<LaneTable> table, Extent e, int step, int dy, int w, int dx)
      : DenseStage(std::move(table), e, step, {w}), dy_(dy), w_(w), dx_(dx) {}
  std::string name() const override { return "linear_input_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 96;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), dx = matrix(runtime, dx_);
    const float* w = runtime.views[size_t(w_)].as<const float>();
    parallel_blocks(e_.D, kInputs, [&](int64_t d0, int64_t d1) {
      kernels().input_gradient(dy, table_->groups(), w, e_.D, e_.K, dx, d0, d1);
    });
  }

 private:
  int dy_, w_, dx_;
};

class DenseWeightGradientStage final : public DenseStage {
 public:
  DenseWeightGradientStage(std::shared_ptr<LaneTable> table, Extent e, int step, int dy, int x, int dw)
      : DenseStage(std::move(table), e, step, {dw}), dy_(dy), x_(x), dw_(dw) {}
  std::string name() const override { return "linear_weight_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 64;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), x = matrix(runtime, x_);
    float* dw = runtime.views[size_t(dw_)].as<float>();
    const int64_t lanes = table_->kernels.lanes, groups = table_->groups();
    const int64_t last = table_->samples - (groups - 1) * lanes;
    parallel_blocks(e_.D, kInputs, [&](int64_t d0, int64_t d1) {
      float* workspace = cpu::scratch<float>(cpu::ScratchSlot::group_workspace, groups * lanes * kInputs);
      kernels().weight_gradient(dy, x, groups, last, dw, e_.D, e_.K, d0, d1, false, workspace);
    });
  }

 private:
  int dy_, x_, dw_;
};

template <class SmallNode, class BatchStage, class TileStage, class... Values>
void add_dense(Planner& p, Extent e, int step, TileStage on_tiles, const std::vector<int>& in,
               const std::vector<int>& out, Values... values) {
  if (e.small()) {
    auto node = std::make_unique<SmallNode>(e, values...);
    node->steps = {step};
    p.add(std::move(node));
  } else if (runs_on_tiles(p, *p.graph().step(step).op)) {
    p.add_stage(on_tiles(p, step, e.K, e.D, values...), in, out);
  } else {
    p.add_stage(std::make_unique<BatchStage>(p.table(), e, step, values...), in, out);
  }
}

void lower_forward(Planner& p, int step, int xv, int wv, int bv, Extent e) {
  p.need_rows(wv);
  if (bv >= 0) p.need_rows(bv);
  const int x = p.flat_in_lanes(xv), y = p.make(p.graph().out(step));
  p.fix(y);
  add_dense<DenseNode, DenseForwardStage>(p, e, step, tile_dense_forward, {x}, {y}, x, wv, bv, y);
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
    add_dense<DenseWeightGradientNode, DenseWeightGradientStage>(
        p, e, step, tile_dense_weight_gradient, {rows_of_left, x}, {}, rows_of_left, x, y);
    p.makes_rows(y);
    return true;
  }
  if (!p.fits_lanes(a)) return false;
  if (p.plain_rows(b)) {  // dx = dy w
    const Extent e{right.shape[0], right.shape[1]};
    p.need_rows(b);
    const int dy = p.flat_in_lanes(a), dx = p.make(y);
    p.fix(dx);
    add_dense<DenseInputGradientNode, DenseInputGradientStage>(p, e, step, tile_dense_input_gradient, {dy}, {dx},
                                                               dy, b, dx);
    return true;
  }
  if (right.strides[0] == 1 && right.strides[1] == right.shape[0] && p.is_plain_buffer(b)) {  // x w^T
    lower_forward(p, step, a, b, -1, {right.shape[1], right.shape[0]});
    return true;
  }
  return false;
}

}  // namespace uncial::program::lanes
