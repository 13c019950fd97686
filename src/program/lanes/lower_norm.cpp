// Normalisation over the batch: statistics end a segment, the next one applies them.

#include <cmath>

#include "layout_nodes.h"
#include "planner.h"

namespace uncial::program::lanes {
namespace {

/// Pairs of doubles for each channel, a slot a group.
class ChannelPairsNode : public ReducingNode {
 public:
  explicit ChannelPairsNode(int64_t channels) : C(channels) {}
  bool slot_a_group() const override { return true; }
  int64_t slot_floats(const LaneTable&) const override { return 4 * C; }

 protected:
  double* pairs(const GroupRun& g) const { return reinterpret_cast<double*>(slot(g)); }
  const double* pairs(const LaneTable& t, const Runtime& runtime, int64_t group) const {
    return reinterpret_cast<const double*>(slot(t, runtime, group));
  }
  int64_t C;
};

class MomentsNode final : public ChannelPairsNode {
 public:
  MomentsNode(const ImageOperand& x, int mean, int variance)
      : ChannelPairsNode(x.C), x_(x), mean_(mean), variance_(variance) {
    lanes = {x.lane};
    rows = {mean, variance};
  }
  std::string name() const override { return "batch_norm statistics"; }
  void run(const GroupRun& g) const override {
    g.table.kernels.norm.moments(g.image(x_), g.samples, pairs(g));
  }
  /// Joins the groups' moments in order. Source: Chan, Golub & LeVeque, 1979.
  void finish(const LaneTable& t, const Runtime& runtime, const float*, int64_t) const override {
    float *mean = runtime.views[size_t(mean_)].as<float>(),
          *variance = runtime.views[size_t(variance_)].as<float>();
    for (int64_t c = 0; c < C; ++c) {
      double n = 0, m = 0, squares = 0;
      for (int64_t g = 0; g < t.groups(); ++g) {
        const double count = double(std::min(t.kernels.lanes, t.samples - g * t.kernels.lanes) * x_.H * x_.W);
        const double* pair = pairs(t, runtime, g) + 2 * c;
        const double distance = pair[0] - m, all = n + count;
        squares += pair[1] + distance * distance * n * count / all;
        m += distance * count / all;
        n = all;
      }
      mean[c] = float(m);
      variance[c] = float(squares / n);
    }
  }

 private:
  ImageOperand x_;
  int mean_, variance_;
};

/// Row-major operands of a normalisation.
struct NormRows {
  int scale, shift, mean, variance;
};

/// factor[c] = scale / sqrt(variance + epsilon).
void make_factors(const Runtime& runtime, int scale, int variance, double epsilon,
                  std::vector<float>& factor) {
  const float *scales = runtime.views[size_t(scale)].as<const float>(),
              *variances = runtime.views[size_t(variance)].as<const float>();
  for (size_t c = 0; c < factor.size(); ++c)
    factor[c] = float(double(scales[c]) / std::sqrt(double(variances[c]) + epsilon));
}

class NormalizeNode final : public Node {
 public:
  NormalizeNode(double epsilon, NormRows operands, const ImageOperand& x, const ImageOperand& y, int skip,
                bool with_relu)
      : epsilon_(epsilon), r_(operands), x_(x), y_(y), skip_(skip), relu_(with_relu), factor_(size_t(x.C)) {
    lanes = {x.lane, y.lane};
    if (skip >= 0) lanes.push_back(skip);
    makes = {y.lane};
    rows = {r_.scale, r_.shift, r_.mean, r_.variance};
  }
  std::string name() const override {
    return std::string("batch_norm") + (skip_ >= 0 ? "+add" : "") + (relu_ ? "+relu" : "");
  }
  void begin(const LaneTable&, const Runtime& runtime) override {
    make_factors(runtime, r_.scale, r_.variance, epsilon_, factor_);
  }
  void run(const GroupRun& g) const override {
    g.table.kernels.norm.affine(g.image(x_), g.operand(r_.mean), factor_.data(), g.operand(r_.shift),
                                skip_ >= 0 ? g.image(skip_) : cpu::LaneImage{}, relu_, g.image(y_));
  }

 private:
  double epsilon_;
  NormRows r_;
  ImageOperand x_, y_;
  int skip_;  ///< lane value that is added before the ReLU, or -1
  bool relu_;
  std::vector<float> factor_;
};

/// What the gradient of a normalisation reads.
struct NormGradientOperands {
  double epsilon;
  ImageOperand dy, relu_y, x;  ///< there may be no relu_y
  int scale, mean, variance;   ///< row-major
  int shift;                   ///< row-major, or -1: of the normalisation whose ReLU is undone
  int dscale, dshift;          ///< row-major results

  /// Tells the node what it reads.
  void add_to(Node& node) const {
    for (int v : {dy.lane, x.lane, relu_y.lane})
      if (v >= 0) node.lanes.push_back(v);
    for (int v : {scale, mean, variance, dscale, dshift, shift})
      if (v >= 0) node.rows.push_back(v);
  }
  /// `factor` as make_factors() leaves it.
  cpu::LaneNormGradient on(const GroupRun& g, const std::vector<float>& factor) const {
    return {.dy = g.image(dy),
            .relu_y = relu_y.lane >= 0 ? g.image(relu_y).data : nullptr,
            .x = g.image(x),
            .mean = g.operand(mean),
            .factor = shift >= 0 ? factor.data() : nullptr,
            .shift = shift >= 0 ? g.operand(shift) : nullptr};
  }
};

class NormSumsNode final : public ChannelPairsNode {
 public:
  explicit NormSumsNode(const NormGradientOperands& operands)
      : ChannelPairsNode(operands.x.C), o_(operands), factor_(size_t(C)) {
    o_.add_to(*this);
  }
  /// dy + more, masked, goes to `to`. `more` may be none.
  void join(const ImageOperand& more, const ImageOperand& to) {
    more_ = more, to_ = to;
    if (more.lane >= 0) lanes.push_back(more.lane);
    lanes.push_back(to.lane);
    makes = {to.lane};
  }
  std::string name() const override {
    return std::string(more_.lane >= 0 ? "add+" : "") +
           (o_.relu_y.lane >= 0 && to_.lane >= 0 ? "relu_gradient+" : "") + "batch_norm gradient sums";
  }
  void begin(const LaneTable&, const Runtime& runtime) override {
    if (o_.shift >= 0) make_factors(runtime, o_.scale, o_.variance, o_.epsilon, factor_);
  }
  void run(const GroupRun& g) const override {
    const cpu::LaneNormGradient gradient = o_.on(g, factor_);
    if (to_.lane < 0) return g.table.kernels.norm.norm_sums(gradient, g.samples, pairs(g));
    g.table.kernels.norm.join_sums(gradient, more_.lane >= 0 ? g.image(more_) : cpu::LaneImage{},
                                   g.image(to_), g.samples, pairs(g));
  }
  void finish(const LaneTable& t, const Runtime& runtime, const float*, int64_t) const override {
    const float* variance = runtime.views[size_t(o_.variance)].as<const float>();
    for (int64_t c = 0; c < C; ++c) {
      double sum = 0, product = 0;
      for (int64_t g = 0; g < t.groups(); ++g) {
        sum += pairs(t, runtime, g)[2 * c];
        product += pairs(t, runtime, g)[2 * c + 1];
      }
      runtime.views[size_t(o_.dshift)].as<float>()[c] = float(sum);
      runtime.views[size_t(o_.dscale)].as<float>()[c] =
          float(product / std::sqrt(double(variance[c]) + o_.epsilon));
    }
  }

 private:
  NormGradientOperands o_;
  ImageOperand more_, to_;
  std::vector<float> factor_;
};

class NormGradientNode final : public Node {
 public:
  NormGradientNode(const NormGradientOperands& operands, const ImageOperand& dx) : o_(operands), dx_(dx) {
    o_.add_to(*this);
    lanes.push_back(dx.lane);
    makes = {dx.lane};
    for (auto* v : {&dy_mean_, &slope_, &factor_}) v->resize(size_t(o_.x.C));
  }
  std::string name() const override { return "batch_norm gradient"; }
  void begin(const LaneTable& t, const Runtime& runtime) override {
    const double count = double(t.samples * o_.x.H * o_.x.W);
    const auto at = [&](int v, size_t c) { return double(runtime.views[size_t(v)].as<const float>()[c]); };
    make_factors(runtime, o_.scale, o_.variance, o_.epsilon, factor_);
    for (size_t c = 0; c < factor_.size(); ++c) {
      dy_mean_[c] = float(at(o_.dshift, c) / count);
      slope_[c] = float(at(o_.dscale, c) / std::sqrt(at(o_.variance, c) + o_.epsilon) / count);
    }
  }
  void run(const GroupRun& g) const override {
    g.table.kernels.norm.norm_gradient(o_.on(g, factor_), dy_mean_.data(), slope_.data(), factor_.data(),
                                       g.samples, g.image(dx_));
  }

 private:
  NormGradientOperands o_;
  ImageOperand dx_;
  std::vector<float> dy_mean_, slope_, factor_;
};

double epsilon_of(const Planner& p, int step) {
  return attribute<double>(*p.graph().step(step).op, "epsilon");
}

void add_normalize(Planner& p, int step, const NormFusion& fusion, NormRows operands) {
  const Graph& graph = p.graph();
  for (int v : {operands.scale, operands.shift, operands.mean, operands.variance}) p.need_rows(v);
  const int xv = graph.in(step, 0), skip = fusion.sum.step >= 0 ? p.image_in_lanes(fusion.sum.other, {}) : -1;
  const ImageOperand x = p.operand(p.image_in_lanes(xv, {}), xv), y = p.operand(p.make(fusion.result), xv);
  auto node = std::make_unique<NormalizeNode>(epsilon_of(p, step), operands, x, y, skip, fusion.relu >= 0);
  node->steps = {step};
  for (int s : {fusion.sum.step, fusion.relu})
    if (s >= 0) node->steps.push_back(s);
  p.add(std::move(node));
}

}  // namespace

bool lower_batch_norm(Planner& p, int step) {
  const auto found = p.fusions().norms.find(step);
  if (found == p.fusions().norms.end()) return false;
  const Graph& graph = p.graph();
  const int mean = graph.out(step, 1), variance = graph.out(step, 2);
  const int xv = graph.in(step, 0);
  auto moments = std::make_unique<MomentsNode>(p.operand(p.image_in_lanes(xv, {}), xv), mean, variance);
  moments->steps = {step};
  p.add(std::move(moments));
  p.makes_rows(mean);
  p.makes_rows(variance);
  add_normalize(p, step, found->second, {graph.in(step, 1), graph.in(step, 2), mean, variance});
  return true;
}

bool lower_batch_norm_inference(Planner& p, int step) {
  const auto found = p.fusions().norms.find(step);
  if (found == p.fusions().norms.end()) return false;
  const Graph& graph = p.graph();
  add_normalize(p, step, found->second,
                {graph.in(step, 1), graph.in(step, 2), graph.in(step, 3), graph.in(step, 4)});
  return true;
}

bool lower_batch_norm_gradient(Planner& p, int step) {
  const auto found = p.fusions().norms.find(step);
  if (found == p.fusions().norms.end()) return false;
  const Graph& graph = p.graph();
  const NormFusion& fusion = found->second;
  for (size_t i : {2, 3, 4}) p.need_rows(graph.in(step, i));
  NormGradientOperands o{.epsilon = epsilon_of(p, step),
                         .dy = {},
                         .relu_y = {},
                         .x = {},
                         .scale = graph.in(step, 2),
                         .mean = graph.in(step, 3),
                         .variance = graph.in(step, 4),
                         .shift = fusion.own_relu >= 0 ? graph.in(fusion.own_relu, 2) : -1,
                         .dscale = graph.out(step, 1),
                         .dshift = graph.out(step, 2)};
  if (o.shift >= 0) p.need_rows(o.shift);
  const int xv = graph.in(step, 1);
  if (fusion.relu_y >= 0 && o.shift < 0) {
    o.relu_y = p.operand(p.in_lanes(fusion.relu_y), xv);
    o.dy = p.operand(p.in_lanes_like(fusion.dy, o.relu_y.lane), xv);
  } else {
    o.dy = p.operand(p.image_in_lanes(fusion.dy, {}), xv);
  }
  o.x = p.operand(p.image_in_lanes(xv, {}), xv);
  auto sums = std::make_unique<NormSumsNode>(o);
  sums->steps = fusion.steps;
  sums->steps.push_back(step);
  if (fusion.joined >= 0) {
    const ImageOperand more =
        fusion.more >= 0 ? p.operand(p.image_in_lanes(fusion.more, {}), xv) : ImageOperand{};
    const ImageOperand to = p.operand(p.make(fusion.joined), xv);
    sums->join(more, to);
    o.dy = to, o.relu_y = {};
  }
  p.add(std::move(sums));
  p.makes_rows(o.dscale);
  p.makes_rows(o.dshift);
  p.need_rows(o.dscale);
  auto node = std::make_unique<NormGradientNode>(o, p.operand(p.make(graph.out(step)), xv));
  node->steps = {step};
  p.add(std::move(node));
  return true;
}

}  // namespace uncial::program::lanes
