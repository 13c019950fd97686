// Dense layers, straight from their row-major weights.

#include <algorithm>

#include "planner.h"
#include "program/step_stage.h"
#include "uncial/core/parallel.h"

namespace uncial::program::channels {
namespace {

/// Weights from this size on are read by several threads, each of which takes pieces of kTaskBytes.
constexpr int64_t kShared = 512 * 1024, kTaskBytes = 128 * 1024, kMostTasks = 16;
constexpr int64_t kRows = 4;  ///< that a kernel handles at a time

class DenseStage final : public Stage {
 public:
  DenseStage(const cpu::ChannelDenseSimd& kernels, int64_t N, int64_t D, int64_t K, int x, int w, int b,
             int y, std::vector<int> steps, bool with_relu)
      : kernels_(kernels), N_(N), D_(D), K_(K), x_(x), w_(w), b_(b), y_(y), relu_(with_relu) {
    steps_ = std::move(steps);
    values_ = {x, w, y};
    if (b >= 0) values_.push_back(b);
    const int64_t bytes = K * D * int64_t(sizeof(float)), blocks = ceil_div(K, kRows);
    tasks_ = bytes < kShared ? 1 : std::clamp<int64_t>(bytes / kTaskBytes, 1, std::min(blocks, kMostTasks));
  }
  std::string name() const override { return relu_ ? "channel linear+relu" : "channel linear"; }
  void run(const Runtime& runtime) override {
    const auto operand = [&](int v) { return runtime.views[size_t(v)].as<const float>(); };
    const float *x = operand(x_), *w = operand(w_), *b = b_ >= 0 ? operand(b_) : nullptr;
    float* y = runtime.views[size_t(y_)].as<float>();
    const int64_t blocks = ceil_div(K_, kRows);
    parallel_for(tasks_, [&](int64_t task) {
      kernels_.forward(x, N_, D_, w, b, relu_, y, K_, task * blocks / tasks_ * kRows,
                       std::min((task + 1) * blocks / tasks_ * kRows, K_));
    });
  }

 private:
  const cpu::ChannelDenseSimd& kernels_;
  int64_t N_, D_, K_;
  int x_, w_, b_, y_;
  bool relu_;
  int64_t tasks_ = 1;
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
  // matmul multiplies by (D, K): the transpose of weights that lie in rows.
  const Shape& s = weights.shape;
  const bool transposed = !linear && weights.strides[0] == 1 && weights.strides[1] == s[0];
  if (!transposed && !(linear && p.plain_rows(w))) return false;
  for (int v : {x, w, b})
    if (v >= 0) p.need_rows(v);
  std::vector<int> steps = {step};
  int result = y;
  if (const int relu = p.only_relu(y); relu >= 0) {
    p.fuse(relu);
    steps.push_back(relu);
    result = graph.out(relu);
  }
  const bool with_relu = steps.size() > 1;
  p.add(std::make_unique<DenseStage>(p.kernels().dense, p.shape(x)[0], p.shape(x)[1], p.shape(y)[1], x, w, b,
                                     result, std::move(steps), with_relu));
  return true;
}

}  // namespace uncial::program::channels
