// Convolutions: Winograd's form where it saves multiplications, the direct form elsewhere.

#include <algorithm>

#include "layout_nodes.h"
#include "planner.h"

namespace uncial::program::lanes {
namespace {

/// Extents and attributes of one convolution.
struct Conv {
  cpu::LaneConvShape shape;
  int64_t C, H, W, K, P, Q;

  Conv(const Op& op, const Shape& x, const Shape& w)
      : shape{.R = w[2],
              .S = w[3],
              .stride = attribute<int64_t>(op, "stride"),
              .padding = attribute<int64_t>(op, "padding"),
              .dilation = attribute<int64_t>(op, "dilation"),
              .groups = attribute<int64_t>(op, "groups")},
        C(x[1]),
        H(x[2]),
        W(x[3]),
        K(w[0]),
        P((H + 2 * shape.padding - shape.dilation * (shape.R - 1) - 1) / shape.stride + 1),
        Q((W + 2 * shape.padding - shape.dilation * (shape.S - 1) - 1) / shape.stride + 1) {}

  /// F(4x4, 3x3) computes whole 4 x 4 tiles of outputs at 36 multiplications each: from 3 x 3 outputs on that
  /// is fewer than 9 for each. With few channels its transforms cost more than they save.
  bool winograd() const {
    return shape.R == 3 && shape.S == 3 && shape.stride == 1 && shape.dilation == 1 && shape.groups == 1 &&
           shape.padding <= 2 && C >= 8 && K >= 8 && P >= 3 && Q >= 3;
  }
  Halo halo() const {
    if (!winograd()) return {shape.padding, shape.padding, shape.padding};
    const auto beyond = [&](int64_t out, int64_t in) {
      return std::max<int64_t>(0, ceil_div(out, 4) * 4 + 2 - shape.padding - in);
    };
    return {shape.padding, beyond(P, H), beyond(Q, W)};
  }
};

class WinogradWeights final : public Prepared {
 public:
  WinogradWeights(const cpu::WinogradSimd& kernels, const Conv& conv, int w)
      : kernels_(kernels), conv_(conv), w_(w) {}
  int64_t floats() const override { return kernels_.weight_floats(conv_.C, conv_.K); }
  int64_t tasks() const override { return ceil_div(conv_.K, kFilters); }
  void make(const Runtime& runtime, int64_t task) const override {
    kernels_.transform_weights(runtime.views[size_t(w_)].as<const float>(), conv_.C, conv_.K, data(),
                               task * kFilters, std::min((task + 1) * kFilters, conv_.K));
  }

 private:
  static constexpr int64_t kFilters = 8;
  const cpu::WinogradSimd& kernels_;
  Conv conv_;
  int w_;
};

std::shared_ptr<Prepared> winograd_weights(Planner& p, const Conv& conv, int w) {
  return p.prepared("winograd", w,
                    [&] { return std::make_shared<WinogradWeights>(p.kernels().winograd, conv, w); });
}

class ConvNode final : public Node {
 public:
  ConvNode(const Conv& c, int x, int w, int b, int y) : conv(c), x_(x), w_(w), bias_(b), y_(y) {
    lanes = {x, y};
    makes = {y};
    rows = {w};
    if (b >= 0) rows.push_back(b);
  }
  std::string name() const override {
    return std::string(u ? "winograd" : "conv2d") + (relu ? "+relu" : "") + (pool ? "+max_pool2d" : "");
  }
  int64_t workspace_floats(const LaneTable& t) const override {
    return u ? t.kernels.winograd.workspace_floats(conv.C, t.values[size_t(x_)].columns(), conv.K) : 0;
  }
  void run(const GroupRun& g) const override {
    const cpu::LaneImage x = g.image(x_, conv.C, conv.H, conv.W);
    const cpu::LaneEpilogue epilogue{
        .bias = bias_ >= 0 ? g.operand(bias_) : nullptr,
        .relu = relu,
        .pool = pool,
        .y = g.image(y_, conv.K, pool ? conv.P / 2 : conv.P, pool ? conv.Q / 2 : conv.Q),
        .winners = winners >= 0 ? g.memory<cpu::WinnerCode>(winners) : nullptr};
    if (u)
      g.table.kernels.winograd.forward(x, conv.shape.padding, u->data(), epilogue, conv.P, conv.Q,
                                       g.workspace);
    else
      g.table.kernels.conv.forward(conv.shape, x, g.operand(w_), epilogue);
  }

  Conv conv;
  bool relu = false, pool = false;
  int winners = -1;
  std::shared_ptr<Prepared> u;

 private:
  int x_, w_, bias_, y_;
};

/// All gradients of one convolution: what they read, dy, they read once.
class ConvGradientNode final : public ReducingNode {
 public:
  ConvGradientNode(const Conv& c, int x, int w, int dy) : conv(c), x_(x), w_(w), dy_(dy) {
    lanes = {x, dy};
    if (w >= 0) rows = {w};
  }
  std::string name() const override { return u ? "winograd_gradient" : "conv2d_gradient"; }
  int64_t workspace_floats(const LaneTable& t) const override {
    return winograd
               ? t.kernels.winograd.workspace_floats(conv.C, t.values[size_t(x_)].columns(), conv.K)
               : t.kernels.conv.workspace_floats(conv.shape, conv.C, conv.H, conv.W, conv.K, conv.P, conv.Q);
  }
  int64_t slot_floats(const LaneTable& t) const override {
    return weight_floats(t) + conv.K * t.kernels.lanes;
  }
  int64_t tasks(const LaneTable&) const override { return filter_tasks() + (bias_out >= 0 ? 1 : 0); }

  void run(const GroupRun& g) const override {
    const cpu::LaneImage x = g.image(x_, conv.C, conv.H, conv.W);
    const bool pooled = winners >= 0;
    const cpu::LaneGradient dy{
        .dy = g.image(dy_, conv.K, pooled ? conv.P / 2 : conv.P, pooled ? conv.Q / 2 : conv.Q),
        .relu_y = relu_y >= 0 ? g.image(relu_y, conv.K, conv.P, conv.Q).data : nullptr,
        .winners = pooled ? g.memory<cpu::WinnerCode>(winners) : nullptr,
        .P = conv.P,
        .Q = conv.Q,
        .scale = scale};
    float* sums = slot(g);
    float* bias_sums = bias_out >= 0 ? sums + weight_floats(g.table) : nullptr;
    const cpu::LaneImage to = dx >= 0 ? g.image(dx) : cpu::LaneImage{};
    if (winograd)
      g.table.kernels.winograd.backward(x, conv.shape.padding, u ? u->data() : nullptr, dy, sums, bias_sums,
                                        to, g.workspace);
    else
      g.table.kernels.conv.backward(conv.shape, x, w_ >= 0 ? g.operand(w_) : nullptr, dy,
                                    weight_out >= 0 ? sums : nullptr, bias_sums, to, g.workspace);
  }

  void finish(const LaneTable& t, const Runtime& runtime, const float* sums, int64_t task) const override {
    if (task == filter_tasks()) return finish_bias(t, runtime, sums + weight_floats(t));
    float* dw = runtime.views[size_t(weight_out)].as<float>();
    const int64_t k0 = task * kFilters, k1 = std::min(k0 + kFilters, conv.K);
    if (winograd)
      t.kernels.winograd.finish_weights(conv.C, conv.K, sums, dw, k0, k1);
    else
      t.kernels.conv.finish_weights(conv.shape, conv.C, conv.K, sums, dw, k0, k1);
  }

  Conv conv;
  bool winograd = false;
  int winners = -1, relu_y = -1, dx = -1;
  float scale = 1;
  int weight_out = -1, bias_out = -1;  // row-major values
  std::shared_ptr<Prepared> u;

 private:
  static constexpr int64_t kFilters = 8;
  int64_t filter_tasks() const { return weight_out >= 0 ? ceil_div(conv.K, kFilters) : 0; }
  int64_t weight_floats(const LaneTable& t) const {
    return winograd ? t.kernels.winograd.weight_sums(conv.C, conv.K)
                    : t.kernels.conv.weight_sums(conv.shape, conv.C, conv.K);
  }
  void finish_bias(const LaneTable& t, const Runtime& runtime, const float* sums) const {
    float* db = runtime.views[size_t(bias_out)].as<float>();
    for (int64_t k = 0; k < conv.K; ++k) {
      double sum = 0;
      for (int64_t l = 0; l < t.kernels.lanes; ++l) sum += double(sums[k * t.kernels.lanes + l]);
      db[k] = float(sum);
    }
  }
  int x_, w_, dy_;
};

}  // namespace

bool lower_conv(Planner& p, int step) {
  const auto found = p.fusions().convs.find(step);
  if (found == p.fusions().convs.end()) return false;
  const Graph& graph = p.graph();
  ConvFusion& fusion = found->second;
  const int xv = graph.in(step, 0), wv = graph.in(step, 1);
  const int bv = graph.step(step).inputs.size() > 2 ? graph.in(step, 2) : -1;
  const Conv conv(*graph.step(step).op, graph.value(xv).shape, graph.value(wv).shape);
  p.need_rows(wv);
  if (bv >= 0) p.need_rows(bv);
  const int x = p.image_in_lanes(xv, conv.halo());
  const int y = p.make(fusion.result);
  if (fusion.dropout >= 0) {
    for (size_t i : {1, 2}) p.need_rows(graph.in(fusion.dropout, i));
    p.fix(y);
  }
  auto node = std::make_unique<ConvNode>(conv, x, wv, bv, y);
  node->relu = fusion.relu >= 0;
  node->pool = fusion.pool >= 0;
  if (conv.winograd()) node->u = winograd_weights(p, conv, wv);
  const auto& gradients = p.fusions().conv_gradients;
  if (std::any_of(gradients.begin(), gradients.end(),
                  [&](const auto& g) { return g.second.forward == step; })) {
    LaneValue codes;
    codes.C = conv.K;
    codes.H = conv.P / 2;
    codes.W = conv.Q / 2;
    codes.codes = true;
    fusion.winners = node->winners = p.make_lane(codes);
    node->lanes.push_back(fusion.winners);
  }
  for (int s : {step, fusion.relu, fusion.pool})
    if (s >= 0) node->steps.push_back(s);
  p.add(std::move(node));
  if (fusion.dropout >= 0) add_dropout(p, fusion.dropout, y, y, fusion.winners);
  return true;
}

bool lower_conv_gradients(Planner& p, int step) {
  const auto found = p.fusions().conv_gradients.find(step);
  if (found == p.fusions().conv_gradients.end()) return false;
  const Graph& graph = p.graph();
  const ConvGradientFusion& f = found->second;
  const bool has_x = f.weight >= 0;
  const Shape x_shape = graph.value(has_x ? graph.in(f.weight, 0) : graph.out(f.input)).shape;
  const Shape w_shape = graph.value(has_x ? graph.out(f.weight) : graph.in(f.input, 1)).shape;
  const Conv conv(*graph.step(step).op, x_shape, w_shape);
  // Without a weight gradient there is no x at hand, which Winograd's form reads in any case.
  const bool winograd = conv.winograd() && has_x;
  const int wv = f.input >= 0 ? graph.in(f.input, 1) : -1;
  if (wv >= 0) p.need_rows(wv);

  const int relu_y = f.relu_y >= 0 ? p.in_lanes(f.relu_y) : -1;
  const int dy = relu_y >= 0 ? p.in_lanes_like(f.dy, relu_y) : p.image_in_lanes(f.dy, {});
  const int x = has_x ? p.image_in_lanes(graph.in(f.weight, 0), conv.halo()) : dy;
  auto node = std::make_unique<ConvGradientNode>(conv, x, wv, dy);
  node->winograd = winograd;
  node->relu_y = relu_y;
  if (relu_y >= 0) node->lanes.push_back(relu_y);
  if (f.forward >= 0) {
    node->winners = p.fusions().convs.at(f.forward).winners;
    node->lanes.push_back(node->winners);
    if (f.dropout >= 0) {
      node->scale = float(1 / (1 - attribute<double>(*graph.step(f.dropout).op, "p")));
      node->steps.push_back(f.dropout);
    }
  }
  if (f.input >= 0) {
    node->dx = p.make(graph.out(f.input));
    node->lanes.push_back(node->dx);
    node->makes.push_back(node->dx);
    if (winograd) {
      node->u = winograd_weights(p, conv, wv);
      ensure(p.tie(node->dx, x), "a fresh lane value has no geometry of its own");
    }
  }
  if (f.weight >= 0) node->rows.push_back(node->weight_out = graph.out(f.weight));
  if (f.bias >= 0) node->rows.push_back(node->bias_out = graph.out(f.bias));
  for (int s : {f.input, f.weight, f.bias})
    if (s >= 0) node->steps.push_back(s);
  const int weight_out = node->weight_out, bias_out = node->bias_out;
  p.add(std::move(node));
  if (weight_out >= 0) p.makes_rows(weight_out);
  if (bias_out >= 0) p.makes_rows(bias_out);
  return true;
}

}  // namespace uncial::program::lanes
