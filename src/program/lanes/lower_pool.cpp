// Pooling that no convolution took along.

#include "layout_nodes.h"
#include "planner.h"

namespace uncial::program::lanes {
namespace {

cpu::LanePoolShape shape_of(const Op& op) {
  return {attribute<int64_t>(op, "kernel"), attribute<int64_t>(op, "stride"),
          attribute<int64_t>(op, "padding")};
}

class PoolNode final : public Node {
 public:
  PoolNode(const Op& op, const ImageOperand& x, const ImageOperand& y)
      : max_(op.name() == "max_pool2d"), shape_(shape_of(op)), x_(x), y_(y) {
    lanes = {x.lane, y.lane};
    makes = {y.lane};
  }
  std::string name() const override { return max_ ? "max_pool2d" : "avg_pool2d"; }
  void run(const GroupRun& g) const override {
    const cpu::LanePoolSimd& pool = g.table.kernels.pool;
    (max_ ? pool.max_pool : pool.average_pool)(g.image(x_), shape_, g.image(y_));
  }

 private:
  bool max_;
  cpu::LanePoolShape shape_;
  ImageOperand x_, y_;
};

class PoolGradientNode final : public Node {
 public:
  /// There is no x for average pooling.
  PoolGradientNode(const Op& op, const ImageOperand& dy, const ImageOperand& x, const ImageOperand& dx)
      : shape_(shape_of(op)), dy_(dy), x_(x), dx_(dx) {
    lanes = {dy.lane, dx.lane};
    if (x.lane >= 0) lanes.push_back(x.lane);
    makes = {dx.lane};
  }
  std::string name() const override { return x_.lane >= 0 ? "max_pool2d_gradient" : "avg_pool2d_gradient"; }
  void run(const GroupRun& g) const override {
    if (x_.lane >= 0)
      g.table.kernels.pool.max_pool_gradient(g.image(dy_), g.image(x_), shape_, g.image(dx_));
    else
      g.table.kernels.pool.average_pool_gradient(g.image(dy_), shape_, g.image(dx_));
  }

 private:
  cpu::LanePoolShape shape_;
  ImageOperand dy_, x_, dx_;
};

/// Sums over the pixels of each channel, and back: a channel's value for all of its pixels.
class ChannelPixelsNode final : public Node {
 public:
  ChannelPixelsNode(bool sums, const ImageOperand& x, const ImageOperand& y) : sums_(sums), x_(x), y_(y) {
    lanes = {x.lane, y.lane};
    makes = {y.lane};
  }
  std::string name() const override { return sums_ ? "pixel sums" : "spread over pixels"; }
  void run(const GroupRun& g) const override {
    const cpu::LanePoolSimd& pool = g.table.kernels.pool;
    (sums_ ? pool.pixel_sums : pool.spread)(g.image(x_), g.image(y_));
  }

 private:
  bool sums_;
  ImageOperand x_, y_;
};

}  // namespace

bool lower_pixel_sums(Planner& p, int step) {
  const Graph& graph = p.graph();
  const int xv = graph.in(step, 0), yv = graph.out(step);
  if (!p.fits_lanes(xv) || !p.fits_lanes(yv) || graph.value(xv).shape.rank() != 3 || !p.is_in_lanes(xv))
    return false;
  // (N, C, H * W) may be a window on (N, C, H, W), which is read as it is.
  int x = p.in_lanes(xv);
  const LaneValue own = p.lane(x);
  ImageOperand from{x, own.C, own.H, own.W};
  if (own.C != graph.value(xv).shape[1]) from = p.operand(p.flat_in_lanes(xv), xv);
  auto node = std::make_unique<ChannelPixelsNode>(true, from, p.operand(p.make(yv), yv));
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

bool lower_spread(Planner& p, int step) {
  const Graph& graph = p.graph();
  const Value& x = graph.value(graph.in(step, 0));
  const int yv = graph.out(step);
  if (x.dtype != DType::float32 || !p.fits_lanes(yv) || !p.is_in_lanes(graph.in(step, 0)) || x.offset != 0)
    return false;
  const int64_t C = graph.value(yv).shape[1];
  bool spread = x.shape.rank() > 2 && x.shape[0] == p.samples() && x.strides[0] == C && x.strides[1] == 1;
  for (int axis = 2; axis < x.shape.rank(); ++axis) spread = spread && x.strides[axis] == 0;
  if (!spread || graph.buffer(x.buffer).bytes != p.samples() * C * size_of(x.dtype)) return false;
  const ImageOperand from{p.flat_in_lanes(graph.in(step, 0)), C, 1, 1};
  auto node = std::make_unique<ChannelPixelsNode>(false, from, p.operand(p.make(yv), yv));
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

bool lower_pool(Planner& p, int step) {
  const Graph& graph = p.graph();
  if (!p.fits_lanes(graph.in(step, 0))) return false;
  const int xv = graph.in(step, 0), yv = graph.out(step), x = p.image_in_lanes(xv, {});
  auto node = std::make_unique<PoolNode>(*graph.step(step).op, p.operand(x, xv), p.operand(p.make(yv), yv));
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

bool lower_pool_gradient(Planner& p, int step) {
  const Graph& graph = p.graph();
  const bool max = graph.is(step, "max_pool2d_backward");
  if (!p.fits_lanes(graph.in(step, 0)) || !p.fits_lanes(graph.out(step)) ||
      (max && !p.fits_lanes(graph.in(step, 1))))
    return false;
  const auto image = [&](int value) { return p.operand(p.image_in_lanes(value, {}), value); };
  const ImageOperand dy = image(graph.in(step, 0)), x = max ? image(graph.in(step, 1)) : ImageOperand{};
  const int dx = graph.out(step);
  auto node = std::make_unique<PoolGradientNode>(*graph.step(step).op, dy, x, p.operand(p.make(dx), dx));
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

}  // namespace uncial::program::lanes
