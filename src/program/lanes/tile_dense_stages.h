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

/// Parts of the inputs have sums of their own, added in order.
class TileDenseForwardStage final : public TileDenseStage {
 public:
  TileDenseForwardStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps, int x,
                        int w, int b, bool relu, int y)
      : TileDenseStage(std::move(table), e, steps, b >= 0 ? std::vector<int>{w, b} : std::vector<int>{w}),
        x_(x),
        w_(w),
        b_(b),
        relu_(relu),
        y_(y) {}
  std::string name() const override { return relu_ ? "tiles linear+relu (batch)" : "tiles linear (batch)"; }
  void run(const Runtime& runtime) override {
    const int64_t lanes = table_->kernels.lanes, rows = ceil_div(e_.K, lanes) * lanes,
                  groups = table_->groups(), parts = std::clamp<int64_t>(e_.D / kShortest, 1, kTasks);
    const cpu::LaneMatrix x = matrix(runtime, x_), y = matrix(runtime, y_);
    const auto* w = runtime.views[size_t(w_)].as<const float>();
    const auto* bias = b_ >= 0 ? runtime.views[size_t(b_)].as<const float>() : nullptr;
    auto* sums = cpu::scratch<float>(cpu::ScratchSlot::slots, parts * groups * rows * lanes);
    const auto first = [&](int64_t part) {
      return part == parts ? e_.D : e_.D * part / parts / kBlock * kBlock;
    };
    for_tasks(parts, [&](int64_t g0, int64_t count, int64_t part) {
      tiles().forward(at(x, g0, 0), count, w, e_.D, e_.K, first(part), first(part + 1),
                      sums + (part * groups + g0) * rows * lanes, workspace(count));
    });
    parallel_for(groups, [&](int64_t g) {
      tiles().finish(sums + g * rows * lanes, parts, groups * rows * lanes, bias, relu_,
                     y.data + g * y.distance, e_.K);
    });
  }

 private:
  static constexpr int64_t kShortest = 512, kBlock = 32;
  int x_, w_, b_;
  bool relu_;
  int y_;
};

class TileDenseInputGradientStage final : public TileDenseStage {
 public:
  TileDenseInputGradientStage(std::shared_ptr<LaneTable> table, DenseExtent e, const std::vector<int>& steps,
                              int dy, int w, int dx)
      : TileDenseStage(std::move(table), e, steps, {w}), dy_(dy), w_(w), dx_(dx) {}
  std::string name() const override { return "tiles linear_input_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 256;
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
    constexpr int64_t kInputs = 512;
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
