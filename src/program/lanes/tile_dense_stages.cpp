#include "tile_dense_stages.h"

#include <algorithm>

#include "scratch.h"
#include "uncial/core/parallel.h"

namespace uncial::program::lanes {
namespace {

/// One pass over a layer on the whole batch. Work is cut by groups and by inputs, as the extents say.
class TileDenseStage : public Stage {
 public:
  TileDenseStage(Planner& p, int step, int64_t K, int64_t D, std::vector<int> rows)
      : table_(p.table()), K(K), D(D) {
    steps_ = {step};
    values_ = std::move(rows);
  }

 protected:
  static constexpr int64_t kGroups = 8;  ///< that share a pass over the weights
  const cpu::TileDenseKernels& kernels() const { return *table_->kernels.tile_dense; }
  int64_t groups() const { return table_->groups(); }
  cpu::LaneMatrix matrix(const Runtime& runtime, int v) const {
    const LaneValue& x = table_->values[size_t(v)];
    return {reinterpret_cast<float*>(runtime.arena + x.block.offset), x.group_bytes / int64_t(sizeof(float))};
  }
  static cpu::LaneMatrix from_group(const cpu::LaneMatrix& m, int64_t g) {
    return {m.data + g * m.distance, m.distance};
  }
  float* workspace(int64_t of_groups) const {
    return cpu::scratch<float>(cpu::ScratchSlot::group_workspace, kernels().workspace_floats(of_groups, K));
  }

  std::shared_ptr<LaneTable> table_;
  int64_t K, D;
};

/// Parts of the inputs have sums of their own, added in order.
class ForwardStage final : public TileDenseStage {
 public:
  ForwardStage(Planner& p, int step, int64_t K, int64_t D, int x, int w, int bias, int y)
      : TileDenseStage(p, step, K, D, bias >= 0 ? std::vector{w, bias} : std::vector{w}),
        x_(x),
        w_(w),
        bias_(bias),
        y_(y) {}
  std::string name() const override { return "tiles linear (batch)"; }
  void run(const Runtime& runtime) override {
    const int64_t lanes = table_->kernels.lanes, rows = ceil_div(K, lanes) * lanes;
    const int64_t cuts = ceil_div(groups(), kGroups), parts = std::clamp<int64_t>(D / kShortest, 1, kParts);
    const cpu::LaneMatrix x = matrix(runtime, x_), y = matrix(runtime, y_);
    const auto* w = runtime.views[size_t(w_)].as<const float>();
    const auto* bias = bias_ >= 0 ? runtime.views[size_t(bias_)].as<const float>() : nullptr;
    auto* sums = cpu::scratch<float>(cpu::ScratchSlot::slots, parts * groups() * rows * lanes);
    const auto first = [&](int64_t part) { return D * part / parts / kBlock * kBlock; };
    parallel_for(cuts * parts, [&](int64_t task) {
      const int64_t part = task / cuts, g0 = task % cuts * kGroups, count = std::min(kGroups, groups() - g0);
      kernels().forward(from_group(x, g0), count, w, D, K, first(part), part + 1 < parts ? first(part + 1) : D,
                        sums + (part * groups() + g0) * rows * lanes, workspace(count));
    });
    parallel_for(groups(), [&](int64_t g) {
      for (int64_t k = 0; k < K; ++k)
        for (int64_t n = 0; n < lanes; ++n) {
          float sum = bias ? bias[k] : 0;
          for (int64_t part = 0; part < parts; ++part)
            sum += sums[((part * groups() + g) * rows + k) * lanes + n];
          y.data[g * y.distance + k * lanes + n] = sum;
        }
    });
  }

 private:
  static constexpr int64_t kShortest = 512, kParts = 8, kBlock = 32;
  int x_, w_, bias_, y_;
};

class InputGradientStage final : public TileDenseStage {
 public:
  InputGradientStage(Planner& p, int step, int64_t K, int64_t D, int dy, int w, int dx)
      : TileDenseStage(p, step, K, D, {w}), dy_(dy), w_(w), dx_(dx) {}
  std::string name() const override { return "tiles linear_input_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 256;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), dx = matrix(runtime, dx_);
    const auto* w = runtime.views[size_t(w_)].as<const float>();
    const int64_t cuts = ceil_div(groups(), kGroups), parts = ceil_div(D, kInputs);
    parallel_for(cuts * parts, [&](int64_t task) {
      const int64_t d0 = task / cuts * kInputs, g0 = task % cuts * kGroups,
                    count = std::min(kGroups, groups() - g0);
      kernels().input_gradient(from_group(dy, g0), count, w, D, K, from_group(dx, g0), d0,
                               std::min(D, d0 + kInputs), workspace(count));
    });
  }

 private:
  int dy_, w_, dx_;
};

class WeightGradientStage final : public TileDenseStage {
 public:
  WeightGradientStage(Planner& p, int step, int64_t K, int64_t D, int dy, int x, int dw)
      : TileDenseStage(p, step, K, D, {dw}), dy_(dy), x_(x), dw_(dw) {}
  std::string name() const override { return "tiles linear_weight_gradient (batch)"; }
  void run(const Runtime& runtime) override {
    constexpr int64_t kInputs = 512;
    const cpu::LaneMatrix dy = matrix(runtime, dy_), x = matrix(runtime, x_);
    auto* dw = runtime.views[size_t(dw_)].as<float>();
    const int64_t last = table_->samples - (groups() - 1) * table_->kernels.lanes;
    parallel_for(ceil_div(D, kInputs), [&](int64_t part) {
      kernels().weight_gradient(dy, x, groups(), last, dw, D, K, part * kInputs,
                                std::min(D, (part + 1) * kInputs), workspace(groups()));
    });
  }

 private:
  int dy_, x_, dw_;
};

}  // namespace

bool runs_on_tiles(const Planner& p, const Op& op) {
  return p.kernels().tile_dense && attribute<std::string>(op, "precision") == "bf16";
}

std::unique_ptr<Stage> tile_dense_forward(Planner& p, int step, int64_t K, int64_t D, int x, int w, int bias,
                                          int y) {
  return std::make_unique<ForwardStage>(p, step, K, D, x, w, bias, y);
}
std::unique_ptr<Stage> tile_dense_input_gradient(Planner& p, int step, int64_t K, int64_t D, int dy, int w,
                                                 int dx) {
  return std::make_unique<InputGradientStage>(p, step, K, D, dy, w, dx);
}
std::unique_ptr<Stage> tile_dense_weight_gradient(Planner& p, int step, int64_t K, int64_t D, int dy, int x,
                                                  int dw) {
  return std::make_unique<WeightGradientStage>(p, step, K, D, dy, x, dw);
}

}  // namespace uncial::program::lanes
