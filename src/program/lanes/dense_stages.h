#pragma once
/// @file dense_stages.h
/// Dense layers of large weights and their gradients: each a stage on the whole batch. Internal.

#include <algorithm>

#include "scratch.h"
#include "uncial/core/parallel.h"
#include "value.h"

namespace uncial::program::lanes {

/// Weights (K, D).
struct DenseExtent {
  int64_t K, D;
};

/// A layer on the whole batch. Work is cut by extents alone: into blocks of groups, whose values stay in the
/// second-level cache while all weights pass by, and into pieces of the layer.
class DenseStage : public Stage {
 public:
  DenseStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps,
             std::vector<int> rows)
      : table_(std::move(table)), e_(e), blocks_(ceil_div(table_->groups(), kGroups)) {
    steps_ = steps;
    values_ = std::move(rows);
  }

 protected:
  static constexpr int64_t kGroups = 8;
  /// Tasks that a stage should have: a multiple of the threads of most machines that run so small layers.
  static constexpr int64_t kTasks = 8;

  cpu::LaneMatrix matrix(const Runtime& runtime, int v) const {
    const LaneValue& x = table_->values[size_t(v)];
    return {reinterpret_cast<float*>(runtime.arena + x.block.offset), x.group_bytes / int64_t(sizeof(float))};
  }
  cpu::LaneMatrix at(cpu::LaneMatrix m, int64_t group, int64_t row) const {
    return {m.data + group * m.distance + row * table_->kernels.lanes, m.distance};
  }
  const cpu::LaneDenseSimd& kernels() const { return table_->kernels.dense; }
  /// Into how many pieces a layer is cut for kTasks tasks, when there may be at most `most`.
  int64_t cuts_of(int64_t most) const { return std::clamp<int64_t>(ceil_div(kTasks, blocks_), 1, most); }
  /// Calls body(first group, groups, piece) in parallel; the pieces of a block of groups follow each other.
  template <class Body>
  void for_tasks(int64_t pieces, const Body& body) const {
    const int64_t groups = table_->groups();
    parallel_for(blocks_ * pieces, [&](int64_t task) {
      const int64_t block = task / pieces, g0 = block * groups / blocks_;
      body(g0, (block + 1) * groups / blocks_ - g0, task % pieces);
    });
  }

  std::shared_ptr<LaneTable> table_;
  DenseExtent e_;
  int64_t blocks_;
};

/// Outputs are cut into pieces; where there are many more inputs than outputs, inputs are, so that both are
/// read once, and the parts are added in order.
class DenseForwardStage final : public DenseStage {
 public:
  DenseForwardStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps, int x,
                    int w, int b, bool relu, int y)
      : DenseStage(std::move(table), e, steps, b >= 0 ? std::vector<int>{w, b} : std::vector<int>{w}),
        x_(x),
        w_(w),
        b_(b),
        relu_(relu),
        y_(y) {
    constexpr int64_t kOutputs = 48, kInputs = 512;
    if (e.D >= 4 * e.K)
      parts_ = cuts_of(std::max<int64_t>(e.D / kInputs, 1));
    else
      outputs_ = cuts_of(ceil_div(e.K, kOutputs));
  }
  std::string name() const override { return relu_ ? "linear+relu (batch)" : "linear (batch)"; }
  void run(const Runtime& runtime) override {
    const int64_t lanes = table_->kernels.lanes, groups = table_->groups(),
                  part_floats = groups * e_.K * lanes;
    const cpu::LaneMatrix x = matrix(runtime, x_), y = matrix(runtime, y_);
    const float *w = runtime.views[size_t(w_)].as<const float>(),
                *b = b_ >= 0 ? runtime.views[size_t(b_)].as<const float>() : nullptr;
    float* sums =
        parts_ > 1 ? cpu::scratch<float>(cpu::ScratchSlot::slots, (parts_ - 1) * part_floats) : nullptr;
    const auto target = [&](int64_t part) {
      return part == 0 ? y : cpu::LaneMatrix{sums + (part - 1) * part_floats, e_.K * lanes};
    };
    for_tasks(parts_ * outputs_, [&](int64_t g, int64_t count, int64_t piece) {
      const int64_t part = piece % parts_, k = piece / parts_;
      kernels().forward(at(x, g, 0), count, w, e_.D, part == 0 ? b : nullptr, at(target(part), g, 0),
                        k * e_.K / outputs_, (k + 1) * e_.K / outputs_, part * e_.D / parts_,
                        (part + 1) * e_.D / parts_, false, relu_ && parts_ == 1);
    });
    if (parts_ == 1) return;
    parallel_for(groups, [&](int64_t g) {
      float* to = at(y, g, 0).data;
      for (int64_t part = 1; part < parts_; ++part) {
        const float* from = at(target(part), g, 0).data;
        for (int64_t i = 0; i < e_.K * lanes; ++i) to[i] += from[i];
      }
      if (relu_)
        for (int64_t i = 0; i < e_.K * lanes; ++i) to[i] = 0 > to[i] ? 0 : to[i];
    });
  }

 private:
  int x_, w_, b_;
  bool relu_;
  int y_;
  int64_t outputs_ = 1, parts_ = 1;
};

class DenseInputGradientStage final : public DenseStage {
 public:
  DenseInputGradientStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps,
                          int dy, int w, int dx)
      : DenseStage(std::move(table), e, steps, {w}), dy_(dy), w_(w), dx_(dx) {}
  std::string name() const override { return "linear_input_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    // An even number of strips that the kernel copies at a time, cut at lines.
    constexpr int64_t kStrip = 96, kLine = 16;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), dx = matrix(runtime, dx_);
    const float* w = runtime.views[size_t(w_)].as<const float>();
    const int64_t lines = ceil_div(e_.D, kLine), strips = ceil_div(ceil_div(e_.D, kStrip), 2) * 2;
    for_tasks(std::min(strips, lines), [&](int64_t g, int64_t count, int64_t piece) {
      const int64_t all = std::min(strips, lines), d0 = piece * lines / all * kLine;
      kernels().input_gradient(at(dy, g, 0), count, w, e_.D, e_.K, at(dx, g, 0), d0,
                               std::min((piece + 1) * lines / all * kLine, e_.D));
    });
  }

 private:
  int dy_, w_, dx_;
};

/// Sums over all groups: features are cut into strips that the kernel handles at a time and, where those are
/// few, outputs too.
class DenseWeightGradientStage final : public DenseStage {
 public:
  DenseWeightGradientStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps,
                           int dy, int x, int dw)
      : DenseStage(std::move(table), e, steps, {dw}), dy_(dy), x_(x), dw_(dw) {}
  std::string name() const override { return "linear_weight_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 64, kOutputs = 48;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), x = matrix(runtime, x_);
    float* dw = runtime.views[size_t(dw_)].as<float>();
    const int64_t lanes = table_->kernels.lanes, groups = table_->groups();
    const int64_t last = table_->samples - (groups - 1) * lanes, strips = ceil_div(e_.D, kInputs);
    const int64_t cuts =
        std::clamp<int64_t>(ceil_div(2 * kTasks, strips), 1, std::max<int64_t>(e_.K / kOutputs, 1));
    parallel_for(strips * cuts, [&](int64_t task) {
      float* workspace = cpu::scratch<float>(cpu::ScratchSlot::group_workspace, groups * lanes * kInputs);
      const int64_t cut = task / strips, k0 = cut * e_.K / cuts, k1 = (cut + 1) * e_.K / cuts;
      const int64_t d0 = task % strips * kInputs, d1 = std::min(d0 + kInputs, e_.D);
      kernels().weight_gradient(at(dy, 0, k0), x, groups, last, dw + k0 * e_.D, e_.D, k1 - k0, d0, d1, false,
                                workspace);
    });
  }

 private:
  int dy_, x_, dw_;
};

}  // namespace uncial::program::lanes
