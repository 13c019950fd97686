// Dense layers: straight from the row-major weights for some samples, from packed ones for a single sample
// (kernels/cpu/simd/channel_dense.h says why).

#include <algorithm>

#include "planner.h"
#include "scratch.h"
#include "uncial/core/parallel.h"

namespace uncial::program::channels {
namespace {

/// Weights from this size on are read by several threads, each of which takes pieces of kTaskBytes.
constexpr int64_t kShared = 512 * 1024, kTaskBytes = 128 * 1024, kMostTasks = 16;

struct Layer {
  int64_t N, D, K;
  int x, w, b, y;  ///< values; b may be -1
  bool relu;
  bool transposed;  ///< w is (D, K)

  int64_t tasks() const {
    const int64_t bytes = K * D * int64_t(sizeof(float));
    return bytes < kShared ? 1 : std::clamp<int64_t>(bytes / kTaskBytes, 1, kMostTasks);
  }
};

class DenseStage : public Stage {
 public:
  DenseStage(const cpu::ChannelDenseSimd& kernels, const Layer& layer, std::vector<int> steps)
      : kernels_(kernels), l_(layer) {
    steps_ = std::move(steps);
    values_ = {l_.x, l_.w, l_.y};
    if (l_.b >= 0) values_.push_back(l_.b);
  }
  std::string name() const override { return l_.relu ? "channel linear+relu" : "channel linear"; }

 protected:
  static const float* operand(const Runtime& runtime, int value) {
    return value >= 0 ? runtime.views[size_t(value)].as<const float>() : nullptr;
  }
  const cpu::ChannelDenseSimd& kernels_;
  Layer l_;
};

class RowsStage final : public DenseStage {
 public:
  using DenseStage::DenseStage;
  void run(const Runtime& runtime) override {
    constexpr int64_t kRows = 4;  // that the kernel handles at a time
    const int64_t blocks = ceil_div(l_.K, kRows), tasks = std::min(l_.tasks(), blocks);
    float* y = runtime.views[size_t(l_.y)].as<float>();
    parallel_for(tasks, [&](int64_t task) {
      kernels_.rows(operand(runtime, l_.x), l_.N, l_.D, operand(runtime, l_.w), operand(runtime, l_.b),
                    l_.relu, y, l_.K, task * blocks / tasks * kRows,
                    std::min((task + 1) * blocks / tasks * kRows, l_.K));
    });
  }
};

/// Blocks of outputs, each cut into runs of inputs; behind them, for each such piece, whether it holds
/// anything but finite weights.
class PackedWeights final : public Prepared {
 public:
  PackedWeights(const cpu::ChannelDenseSimd& kernels, const Layer& layer)
      : kernels_(kernels), l_(layer), blocks_(ceil_div(l_.K, kernels.block)), runs_(ceil_div(l_.D, kRun)) {}
  int64_t floats() const override { return l_.D * padded() + blocks_ * runs_; }
  int64_t tasks() const override { return blocks_ * runs_; }
  void make(const Runtime& runtime, int64_t task) const override {
    const int64_t block = task / runs_, d0 = task % runs_ * kRun, d1 = std::min(d0 + kRun, l_.D);
    const Strides& strides = runtime.views[size_t(l_.w)].strides;
    const cpu::DenseWeights weights{runtime.views[size_t(l_.w)].as<const float>(), l_.D, l_.K,
                                    strides[l_.transposed ? 0 : 1], strides[l_.transposed ? 1 : 0]};
    const bool finite = kernels_.pack(weights, block * kernels_.block, d0, d1, packed(block));
    data()[l_.D * padded() + task] = finite ? 0.0f : 1.0f;
  }
  int64_t blocks() const { return blocks_; }
  int64_t padded() const { return ceil_div(l_.K, kernels_.lanes) * kernels_.lanes; }
  float* packed(int64_t block) const { return data() + block * kernels_.block * l_.D; }
  bool all_finite() const {
    const float* flags = data() + l_.D * padded();
    return std::all_of(flags, flags + blocks_ * runs_, [](float flag) { return flag == 0; });
  }

 private:
  static constexpr int64_t kRun = 256;
  const cpu::ChannelDenseSimd& kernels_;
  Layer l_;
  int64_t blocks_, runs_;
};

class SingleStage final : public DenseStage {
 public:
  SingleStage(const cpu::ChannelDenseSimd& kernels, const Layer& layer, std::vector<int> steps,
              std::shared_ptr<PackedWeights> weights)
      : DenseStage(kernels, layer, std::move(steps)), weights_{weights} {
    parts_ = std::clamp<int64_t>(l_.tasks() / weights->blocks(), 1, ceil_div(l_.D, 64));
    sums_.bytes = parts_ * weights->padded() * int64_t(sizeof(float));
  }
  std::vector<Block*> own_blocks() override { return {&sums_}; }

  std::vector<Piece> pieces() const override {
    std::vector<Piece> all = Stage::pieces();
    add_pieces(weights_, this, all);
    return all;
  }
  void run(const Runtime& runtime) override {
    update(weights_, runtime);
    const auto& weights = static_cast<const PackedWeights&>(*weights_[0]);
    const bool skip = weights.all_finite();
    const float* x = operand(runtime, l_.x);
    auto* sums = reinterpret_cast<float*>(runtime.arena + sums_.offset);
    const int64_t blocks = weights.blocks(), padded = weights.padded();
    // Small layers have one task: nobody is woken for them.
    const int64_t tasks = l_.tasks() > 1 ? blocks * parts_ : 1, pieces = blocks * parts_ / tasks;
    parallel_for(tasks, [&](int64_t task) {
      for (int64_t piece = task * pieces; piece < (task + 1) * pieces; ++piece) {
        const int64_t block = piece % blocks, part = piece / blocks, k0 = block * kernels_.block;
        const int64_t d0 = part * l_.D / parts_, d1 = (part + 1) * l_.D / parts_;
        int32_t* list = cpu::scratch<int32_t>(cpu::ScratchSlot::group_workspace, d1 - d0 + 64);
        kernels_.sums(x, d0, d1, weights.packed(block), std::min(kernels_.block, l_.K - k0), skip, list,
                      sums + part * padded + k0);
      }
    });
    finish(runtime, sums, padded);
  }

 private:
  void finish(const Runtime& runtime, const float* sums, int64_t padded) const {
    const float* bias = operand(runtime, l_.b);
    float* y = runtime.views[size_t(l_.y)].as<float>();
    for (int64_t k = 0; k < l_.K; ++k) {
      float total = sums[k];
      for (int64_t part = 1; part < parts_; ++part) total += sums[part * padded + k];
      if (bias) total += bias[k];
      y[k] = l_.relu && 0.0f > total ? 0.0f : total;
    }
  }
  std::vector<std::shared_ptr<Prepared>> weights_;
  int64_t parts_ = 1;
  Block sums_ = Block::unused(0);
};

}  // namespace

bool lower_dense(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int x = graph.in(step, 0), w = graph.in(step, 1), y = graph.out(step);
  const bool linear = graph.is(step, "linear");
  const int b = linear ? graph.in(step, 2) : -1;
  if (!p.plain_rows(x) || p.shape(x).rank() != 2 || !p.plain_rows(y) || (linear && !p.plain_rows(b)))
    return false;
  const Value& weights = graph.value(w);
  if (weights.dtype != DType::float32 || weights.shape.rank() != 2 || count(p.shape(y)) == 0) return false;
  Layer layer{.N = p.shape(x)[0],
              .D = p.shape(x)[1],
              .K = p.shape(y)[1],
              .x = x,
              .w = w,
              .b = b,
              .y = y,
              .relu = false,
              .transposed = !linear};
  // Several samples want weights in rows (K, D). Packing pays for weights that stay.
  const bool in_rows = linear ? p.plain_rows(w) : weights.strides[0] == 1 && weights.strides[1] == layer.D;
  const bool single = layer.N == 1 && layer.D > 0 && p.is_fixed(w);
  if (!single && !in_rows) return false;
  for (int v : {x, w, b})
    if (v >= 0) p.need_rows(v);
  std::vector<int> steps = {step};
  if (const int relu = graph.only_relu(y); relu >= 0) {
    p.fuse(relu);
    steps.push_back(relu);
    layer.y = graph.out(relu);
    layer.relu = true;
  }
  const cpu::ChannelDenseSimd& kernels = p.kernels().dense;
  if (!single) {
    p.add(std::make_unique<RowsStage>(kernels, layer, std::move(steps)));
    return true;
  }
  auto packed = std::make_shared<PackedWeights>(kernels, layer);
  p.prepare(packed, {w});
  p.add(std::make_unique<SingleStage>(kernels, layer, std::move(steps), std::move(packed)));
  return true;
}

}  // namespace uncial::program::channels
