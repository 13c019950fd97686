#include "conv_nodes.h"

#include <algorithm>

#include "folded_filters.h"

namespace uncial::program::lanes {
namespace {

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

class TileWeights final : public Prepared {
 public:
  TileWeights(const cpu::TileConvKernels& kernels, const Conv& conv, int w, bool turned)
      : kernels_(kernels), conv_(conv), w_(w), turned_(turned) {}
  int64_t floats() const override {
    return turned_ ? kernels_.turned_weight_floats(conv_.shape, conv_.C, conv_.K)
                   : kernels_.weight_floats(conv_.shape, conv_.C, conv_.K);
  }
  int64_t tasks() const override { return ceil_div(turned_ ? conv_.C : conv_.K, kOutputs); }
  void make(const Runtime& runtime, int64_t task) const override {
    const auto* w = runtime.views[size_t(w_)].as<const float>();
    (turned_ ? kernels_.pack_turned_weights : kernels_.pack_weights)(conv_.shape, w, conv_.C, conv_.K, task,
                                                                     data());
  }

 private:
  static constexpr int64_t kOutputs = 16;  // of a tile
  const cpu::TileConvKernels& kernels_;
  Conv conv_;
  int w_;
  bool turned_;
};

}  // namespace

Conv::Conv(const Op& op, const Shape& x, const Shape& w)
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

void Conv::choose_tiles(const Planner& p, const Op& op) {
  const cpu::TileConvKernels* kernels = p.kernels().tiles;
  tiles = kernels && attribute<std::string>(op, "precision") == "bf16" && kernels->fits(shape, C, K) &&
          (kernels->beat_winograd || !winograd());
}

bool Conv::winograd() const {
  if (tiles || shape.R != shape.S || !cpu::WinogradTiling::fits(shape.R) || shape.stride != 1 ||
      shape.dilation != 1 || shape.groups != 1 || shape.padding >= shape.R)
    return false;
  // It computes whole tiles of outputs. Where less than half of their outputs exist, or with few channels,
  // its transforms cost more than they save; so they do on a plane of 3 x 3 (measured from 16 to 128
  // channels).
  const int64_t tile = tiling().edge() * tiling().edge();
  return C >= tiling().fewest_channels() && K >= 8 && P >= 3 && Q >= 3 && P * Q > 9 &&
         2 * P * Q >= tile * tiling().tiles(P) * tiling().tiles(Q);
}

Halo Conv::halo() const {
  if (!winograd()) return {shape.padding, shape.padding, shape.padding};
  const auto beyond = [&](int64_t out, int64_t in) {
    return std::max<int64_t>(0, tiling().patch_end(tiling().tiles(out)) - shape.padding - in);
  };
  return {shape.padding, beyond(P, H), beyond(Q, W)};
}

std::shared_ptr<Prepared> winograd_weights(Planner& p, const Conv& conv, int w) {
  if (!conv.winograd()) return nullptr;
  return p.prepared("winograd", w, [&] {
    return std::make_shared<WinogradWeights>(conv.winograd_of(p.kernels()), conv, w);
  });
}

std::shared_ptr<Prepared> tile_weights(Planner& p, const Conv& conv, int w, bool turned) {
  if (!conv.tiles) return nullptr;
  return p.prepared(turned ? "turned tiles" : "tiles", w,
                    [&] { return std::make_shared<TileWeights>(*p.kernels().tiles, conv, w, turned); });
}

ConvNode::ConvNode(const Conv& c, int x, int w, int b, int y) : conv(c), x_(x), w_(w), bias_(b), y_(y) {
  lanes = {x, y};
  makes = {y};
  rows = {w};
  if (b >= 0) rows.push_back(b);
}

std::string ConvNode::name() const {
  return std::string(conv.tiles        ? "tiles"
                     : conv.winograd() ? "winograd"
                                       : "conv2d") +
         (folded ? "+batch_norm" : "") + (skip >= 0 ? "+add" : "") + (relu ? "+relu" : "") +
         (pool ? "+max_pool2d" : "");
}

int64_t ConvNode::workspace_floats(const LaneTable& t) const {
  if (conv.tiles) return t.kernels.tiles->workspace_floats(conv.shape, conv.C, conv.W, conv.K, conv.Q);
  if (!conv.winograd()) return 0;
  return conv.winograd_of(t.kernels).workspace_floats(conv.C, t.values[size_t(x_)].columns(), conv.K);
}

const float* ConvNode::winograd_form() const { return folded ? folded->u() : u->data(); }

cpu::LaneEpilogue ConvNode::epilogue(const GroupRun& g) const {
  return {.bias = folded       ? folded->bias()
                  : bias_ >= 0 ? g.operand(bias_)
                               : nullptr,
          .relu = relu,
          .pool = pool,
          .y = g.image(y_, conv.K, pool ? conv.P / 2 : conv.P, pool ? conv.Q / 2 : conv.Q),
          .winners = winners >= 0 ? g.memory<cpu::WinnerCode>(winners) : nullptr,
          .skip = skip >= 0 ? g.image(skip) : cpu::LaneImage{},
          .stream = g.is_far(y_)};
}

void ConvNode::run(const GroupRun& g) const {
  const cpu::LaneImage x = g.image(x_, conv.C, conv.H, conv.W);
  if (conv.tiles)
    g.table.kernels.tiles->forward(conv.shape, x, u->data(), epilogue(g), conv.P, conv.Q, g.workspace);
  else if (conv.winograd())
    conv.winograd_of(g.table.kernels)
        .forward(x, conv.shape.padding, winograd_form(), epilogue(g), conv.P, conv.Q, g.workspace);
  else
    g.table.kernels.conv.forward(conv.shape, x, folded ? folded->weights() : g.operand(w_), epilogue(g));
}

int64_t ConvSums::weight_floats(const LaneTable& t) const {
  if (conv.tiles) return t.kernels.tiles->weight_sums(conv.shape, conv.C, conv.K);
  return winograd ? conv.winograd_of(t.kernels).weight_sums(conv.C, conv.K)
                  : t.kernels.conv.weight_sums(conv.shape, conv.C, conv.K);
}

void ConvSums::finish(const LaneTable& t, const Runtime& runtime, const float* sums, int64_t task) const {
  if (task == filter_tasks()) {
    float* db = runtime.views[size_t(bias_out)].as<float>();
    sums += weight_floats(t);
    for (int64_t k = 0; k < conv.K; ++k) {
      double sum = 0;
      for (int64_t l = 0; l < t.kernels.lanes; ++l) sum += double(sums[k * t.kernels.lanes + l]);
      db[k] = float(sum);
    }
    return;
  }
  float* dw = runtime.views[size_t(weight_out)].as<float>();
  const int64_t k0 = task * kFilters, k1 = std::min(k0 + kFilters, conv.K);
  if (conv.tiles)
    t.kernels.tiles->finish_weights(conv.shape, conv.C, conv.K, sums, dw, k0, k1);
  else if (winograd)
    conv.winograd_of(t.kernels).finish_weights(conv.C, conv.K, sums, dw, k0, k1);
  else
    t.kernels.conv.finish_weights(conv.shape, conv.C, conv.K, sums, dw, k0, k1);
}

ConvGradientNode::ConvGradientNode(const Conv& c, int x, int w, int dy)
    : sums{.conv = c}, x_(x), w_(w), dy_(dy) {
  lanes = {x, dy};
  if (w >= 0) rows = {w};
}

std::string ConvGradientNode::name() const {
  return std::string(sums.conv.tiles ? "tiles" : u ? "winograd" : "conv2d") + "_gradient";
}

int64_t ConvGradientNode::workspace_floats(const LaneTable& t) const {
  const Conv& c = sums.conv;
  if (c.tiles) return t.kernels.tiles->workspace_floats(c.shape, c.C, c.W, c.K, c.Q);
  return sums.winograd ? c.winograd_of(t.kernels).workspace_floats(c.C, t.values[size_t(x_)].columns(), c.K)
                       : t.kernels.conv.workspace_floats(c.shape, c.C, c.H, c.W, c.K, c.P, c.Q);
}

cpu::LaneGradient ConvGradientNode::gradient(const GroupRun& g) const {
  const Conv& c = sums.conv;
  const bool pooled = winners >= 0;
  return {.dy = g.image(dy_, c.K, pooled ? c.P / 2 : c.P, pooled ? c.Q / 2 : c.Q),
          .relu_y = relu_y >= 0 ? g.image(relu_y, c.K, c.P, c.Q).data : nullptr,
          .winners = pooled ? g.memory<cpu::WinnerCode>(winners) : nullptr,
          .P = c.P,
          .Q = c.Q,
          .scale = scale};
}

void ConvGradientNode::run(const GroupRun& g) const {
  const Conv& c = sums.conv;
  const cpu::LaneImage x = g.image(x_, c.C, c.H, c.W), to = dx >= 0 ? g.image(dx) : cpu::LaneImage{};
  float* totals = slot(g);
  if (c.tiles)
    g.table.kernels.tiles->backward(c.shape, x, u ? u->data() : nullptr, gradient(g),
                                    sums.weight_out >= 0 ? totals : nullptr, sums.bias(g.table, totals), to,
                                    g.workspace);
  else if (sums.winograd)
    c.winograd_of(g.table.kernels)
        .backward(x, c.shape.padding, u ? u->data() : nullptr, gradient(g), totals,
                  sums.bias(g.table, totals), to, g.workspace);
  else
    g.table.kernels.conv.backward(c.shape, x, w_ >= 0 ? g.operand(w_) : nullptr, gradient(g),
                                  sums.weight_out >= 0 ? totals : nullptr, sums.bias(g.table, totals), to,
                                  g.workspace);
}

}  // namespace uncial::program::lanes
