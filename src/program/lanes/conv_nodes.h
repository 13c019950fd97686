#pragma once
/// @file conv_nodes.h
/// Convolutions of a segment and their gradients. Internal.

#include "planner.h"

namespace uncial::program::lanes {

/// Extents and attributes of one convolution.
struct Conv {
  cpu::LaneConvShape shape;
  int64_t C, H, W, K, P, Q;
  bool tiles = false;  ///< on the matrix unit

  Conv(const Op& op, const Shape& x, const Shape& w);

  /// Moves it to the matrix unit when there is one that does it faster and the factors are bfloat16.
  void choose_tiles(const Planner& p, const Op& op);

  /// Whether Winograd's form saves time.
  bool winograd() const;
  cpu::WinogradTiling tiling() const { return {shape.R}; }
  const cpu::WinogradSimd& winograd_of(const Kernels& kernels) const { return kernels.winograd(shape.R); }
  /// What it reads around its input.
  Halo halo() const;
  friend bool operator==(const Conv&, const Conv&) = default;
};

/// Adds what runs row by row: convolutions cheap enough to be computed twice, whose output one other
/// convolution reads.
void find_chains(const Graph& graph, Fusions& found);

class FoldedFilters;

/// The weights `w` as Winograd's form takes them; null for a convolution in another form.
std::shared_ptr<Prepared> winograd_weights(Planner& p, const Conv& conv, int w);
/// The same for the matrix unit; `turned`: for the input gradient.
std::shared_ptr<Prepared> tile_weights(Planner& p, const Conv& conv, int w, bool turned);

class ConvNode : public Node {
 public:
  ConvNode(const Conv& c, int x, int w, int b, int y);
  std::string name() const override;
  int64_t workspace_floats(const LaneTable& t) const override;
  void run(const GroupRun& g) const override;
  int y() const { return y_; }

  Conv conv;
  bool relu = false, pool = false;
  int winners = -1;
  int skip = -1;                          ///< lane value that is added before the ReLU
  std::shared_ptr<Prepared> u;            ///< weights in Winograd's form, or as tiles
  std::shared_ptr<FoldedFilters> folded;  ///< in the place of u and the parameters

 protected:
  const float* winograd_form() const;
  cpu::LaneEpilogue epilogue(const GroupRun& g) const;
  int x_, w_, bias_, y_;
};

/// The sums of one convolution's weight and bias gradients over the batch: first those of the weights.
struct ConvSums {
  Conv conv;
  bool winograd = false;
  int weight_out = -1, bias_out = -1;  ///< row-major values

  int64_t weight_floats(const LaneTable& t) const;
  int64_t floats(const LaneTable& t) const { return weight_floats(t) + conv.K * t.kernels.lanes; }
  /// Where a kernel adds to the bias gradient; null when nobody wants it.
  float* bias(const LaneTable& t, float* sums) const {
    return bias_out >= 0 ? sums + weight_floats(t) : nullptr;
  }
  int64_t tasks() const { return filter_tasks() + (bias_out >= 0 ? 1 : 0); }
  void finish(const LaneTable& t, const Runtime& runtime, const float* sums, int64_t task) const;
  /// Values that it makes.
  std::vector<int> results() const {
    std::vector<int> all;
    for (int v : {weight_out, bias_out})
      if (v >= 0) all.push_back(v);
    return all;
  }

 private:
  static constexpr int64_t kFilters = 8;
  int64_t filter_tasks() const { return weight_out >= 0 ? ceil_div(conv.K, kFilters) : 0; }
};

/// All gradients of one convolution: what they read, dy, they read once.
class ConvGradientNode : public ReducingNode {
 public:
  ConvGradientNode(const Conv& c, int x, int w, int dy);
  std::string name() const override;
  int64_t workspace_floats(const LaneTable& t) const override;
  int64_t slot_floats(const LaneTable& t) const override { return sums.floats(t); }
  int64_t tasks(const LaneTable&) const override { return sums.tasks(); }
  void run(const GroupRun& g) const override;
  void finish(const LaneTable& t, const Runtime& runtime, const float* totals, int64_t task) const override {
    sums.finish(t, runtime, totals, task);
  }
  /// Row-major values that it makes.
  virtual std::vector<int> results() const { return sums.results(); }

  ConvSums sums;
  int winners = -1, relu_y = -1, dx = -1;
  float scale = 1;
  std::shared_ptr<Prepared> u;

 protected:
  cpu::LaneGradient gradient(const GroupRun& g) const;
  int x_, w_, dy_;
};

/// The convolution `step`, whose input another one computes row by row ahead of it (ConvFusion::ahead).
std::unique_ptr<ConvNode> chained_conv(Planner& p, int step, const Conv& conv);
/// The gradients of that convolution and of the one ahead of it; dy of the former.
std::unique_ptr<ConvGradientNode> chained_conv_gradient(Planner& p, const ConvGradientFusion& fusion,
                                                        const Conv& conv, int dy);

}  // namespace uncial::program::lanes
