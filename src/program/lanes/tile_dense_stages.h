#pragma once
/// @file tile_dense_stages.h
/// Dense layers of bfloat16 factors on the matrix unit, each a stage on the whole batch. Internal.

#include "dense_stages.h"

namespace uncial::program::lanes {

/// Work is cut by groups and by inputs, as the extents say.
class TileDenseStage : public DenseStage {
 public:
  using DenseStage::DenseStage;

 protected:
  const cpu::TileDenseKernels& tiles() const { return *table_->kernels.tile_dense; }
  float* workspace(int64_t groups) const {
    return cpu::scratch<float>(cpu::ScratchSlot::group_workspace, tiles().workspace_floats(groups, e_.K));
  }
};

/// Outputs are cut into pieces, for each of which the inputs are packed again; where there are many more
/// inputs than outputs, inputs are, whose parts have sums of their own, added in order.
class TileDenseForwardStage final : public TileDenseStage {
 public:
  TileDenseForwardStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps, int x,
                        int w, int b, bool relu, int y)
      : TileDenseStage(std::move(table), e, steps, b >= 0 ? std::vector<int>{w, b} : std::vector<int>{w}),
        x_(x),
        w_(w),
        b_(b),
        relu_(relu),
        y_(y) {
    constexpr int64_t kOutputs = 128, kInputs = 512;
    if (e.D >= 4 * e.K)
      parts_ = std::clamp<int64_t>(e.D / kInputs, 1, kTasks);
    else
      outputs_ = cuts_of(ceil_div(e.K, kOutputs));
  }
  std::string name() const override { return relu_ ? "tiles linear+relu (batch)" : "tiles linear (batch)"; }
  void run(const Runtime& runtime) override {
    const int64_t lanes = table_->kernels.lanes, groups = table_->groups();
    const cpu::LaneMatrix x = matrix(runtime, x_), y = matrix(runtime, y_);
    const auto* w = runtime.views[size_t(w_)].as<const float>();
    const auto* bias = b_ >= 0 ? runtime.views[size_t(b_)].as<const float>() : nullptr;
    auto* sums =
        cpu::scratch<float>(cpu::ScratchSlot::slots, parts_ * groups * rows_before(outputs_) * lanes);
    // Sums of an output piece lie together, part after part, group after group.
    const auto sums_of = [&](int64_t piece, int64_t part, int64_t g) {
      const int64_t rows = rows_before(piece + 1) - rows_before(piece);
      return sums + (rows_before(piece) * parts_ * groups + (part * groups + g) * rows) * lanes;
    };
    for_tasks(parts_ * outputs_, [&](int64_t g0, int64_t count, int64_t task) {
      const int64_t part = task % parts_, piece = task / parts_, k0 = first_output(piece),
                    K = first_output(piece + 1) - k0;
      tiles().forward(at(x, g0, 0), count, w + k0 * e_.D, e_.D, K, first_input(part), first_input(part + 1),
                      sums_of(piece, part, g0), workspace(count));
    });
    parallel_for(groups * outputs_, [&](int64_t task) {
      const int64_t g = task / outputs_, piece = task % outputs_, k0 = first_output(piece);
      tiles().finish(sums_of(piece, 0, g), parts_, sums_of(piece, 1, 0) - sums_of(piece, 0, 0),
                     bias ? bias + k0 : nullptr, relu_, at(y, g, k0).data, first_output(piece + 1) - k0);
    });
  }

 private:
  static constexpr int64_t kTile = 16, kBlock = 32;
  int64_t first_input(int64_t part) const {
    return part == parts_ ? e_.D : e_.D * part / parts_ / kBlock * kBlock;
  }
  int64_t first_output(int64_t piece) const { return std::min(e_.K, rows_before(piece)); }
  /// Rows of sums, which are whole tiles.
  int64_t rows_before(int64_t piece) const { return ceil_div(e_.K, kTile) * piece / outputs_ * kTile; }

  int x_, w_, b_;
  bool relu_;
  int y_;
  int64_t outputs_ = 1, parts_ = 1;
};

class TileDenseInputGradientStage final : public TileDenseStage {
 public:
  TileDenseInputGradientStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps,
                              int dy, int w, int dx)
      : TileDenseStage(std::move(table), e, steps, {w}), dy_(dy), w_(w), dx_(dx) {}
  std::string name() const override { return "tiles linear_input_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 128;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), dx = matrix(runtime, dx_);
    const auto* w = runtime.views[size_t(w_)].as<const float>();
    for_tasks(ceil_div(e_.D, kInputs), [&](int64_t g0, int64_t count, int64_t piece) {
      tiles().input_gradient(at(dy, g0, 0), count, w, e_.D, e_.K, at(dx, g0, 0), piece * kInputs,
                             std::min(e_.D, (piece + 1) * kInputs), workspace(count));
    });
  }

 private:
  int dy_, w_, dx_;
};

class TileDenseWeightGradientStage final : public TileDenseStage {
 public:
  TileDenseWeightGradientStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps,
                               int dy, int x, int dw)
      : TileDenseStage(std::move(table), e, steps, {dw}), dy_(dy), x_(x), dw_(dw) {}
  std::string name() const override { return "tiles linear_weight_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 128;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), x = matrix(runtime, x_);
    auto* dw = runtime.views[size_t(dw_)].as<float>();
    const int64_t groups = table_->groups(), last = table_->samples - (groups - 1) * table_->kernels.lanes;
    parallel_for(ceil_div(e_.D, kInputs), [&](int64_t part) {
      tiles().weight_gradient(dy, x, groups, last, dw, e_.D, e_.K, part * kInputs,
                              std::min(e_.D, (part + 1) * kInputs), workspace(groups));
    });
  }

 private:
  int dy_, x_, dw_;
};

}  // namespace uncial::program::lanes
