// A cheap convolution and the one that reads its output, by bands of rows. The rows in between stay in the
// level-2 cache: they exist a band at a time, are computed again for the gradients, and nothing of them is
// kept from the forward pass to the backward pass.

#include <algorithm>

#include "folded_filters.h"

namespace uncial::program::lanes {
namespace {

/// The convolution ahead: its output is a ring of rows that Winograd's form of the `next` one reads.
class Ahead {
 public:
  Ahead(Planner& p, int step, const Conv& next_one) : conv(of(p, step)), next(next_one) {
    const Step& s = p.graph().step(step);
    w_ = s.inputs[1];
    bias_ = s.inputs.size() > 2 ? s.inputs[2] : -1;
    relu = p.fusions().convs.at(step).relu >= 0;
    p.need_rows(w_);
    if (bias_ >= 0) p.need_rows(bias_);
    x = p.image_in_lanes(s.inputs[0], conv.halo());
    folded_ = folded_filters(p, step, conv);
  }
  static Conv of(const Planner& p, int step) {
    const Graph& g = p.graph();
    return Conv(*g.step(step).op, g.value(g.in(step, 0)).shape, g.value(g.in(step, 1)).shape);
  }
  /// Tells the node what it reads.
  void add_to(Node& node) const {
    node.rows.push_back(w_);
    if (bias_ >= 0) node.rows.push_back(bias_);
  }

  /// Rows of tiles that make a band: one, or as many as fill two register blocks.
  int64_t band() const { return ceil_div(kTilesAtLeast, next.tiling().tiles(next.Q)); }
  int64_t tile_rows() const { return next.tiling().tiles(next.P); }
  /// The first row that the tiles of rows before t1 do not read.
  int64_t end_of_band(int64_t t1) const { return next.tiling().patch_end(t1) - next.shape.padding; }

  int64_t ring_rows() const { return next.tiling().patch_end(band()); }
  int64_t ring_floats(const LaneTable& t) const {
    return ring_rows() * conv.K * columns() * t.kernels.lanes + kGap;
  }
  /// An empty ring at `memory`, its columns beyond the image zero.
  cpu::LaneImage ring(const LaneTable& t, float* memory) const {
    const int64_t lanes = t.kernels.lanes, plane = columns() * lanes, before = next.shape.padding;
    for (float* row = memory; row < memory + ring_rows() * conv.K * plane; row += plane) {
      std::fill_n(row, before * lanes, 0.0f);
      std::fill(row + (before + conv.Q) * lanes, row + plane, 0.0f);
    }
    return {memory + before * lanes, conv.K, conv.P, conv.Q, plane, conv.K * plane, ring_rows()};
  }
  /// The same with the channels in the lanes.
  void make_turned_rows(const GroupRun& g, const cpu::LaneTurnedRows& rows, const cpu::LaneBits& positive,
                        int64_t t0, int64_t t1) const {
    g.table.kernels.conv.turned_rows(conv.shape, image(g), weights(g), bias(g), relu, conv.K,
                                     t0 > 0 ? end_of_band(t0) : -next.shape.padding, end_of_band(t1), rows,
                                     positive);
  }
  /// Rows that the band of tile rows [t0, t1) reads and the one before it did not; zeros beyond the image.
  void make_rows(const GroupRun& g, const cpu::LaneImage& ring, int64_t t0, int64_t t1) const {
    const int64_t begin = t0 > 0 ? end_of_band(t0) : -next.shape.padding, end = end_of_band(t1);
    const int64_t floats = columns() * g.table.kernels.lanes * conv.K;
    for (int64_t h = begin; h < end; ++h)
      if (h < 0 || h >= conv.P)
        std::fill_n(ring.at_row(h) - next.shape.padding * g.table.kernels.lanes, floats, 0.0f);
    const cpu::LaneEpilogue epilogue{.bias = bias(g), .relu = relu, .y = ring};
    g.table.kernels.conv.forward_rows(conv.shape, image(g), weights(g), epilogue, std::max<int64_t>(begin, 0),
                                      std::min(end, conv.P));
  }
  const float* weights(const GroupRun& g) const { return folded_ ? folded_->weights() : g.operand(w_); }
  const float* bias(const GroupRun& g) const {
    return folded_ ? folded_->bias() : bias_ >= 0 ? g.operand(bias_) : nullptr;
  }
  cpu::LaneImage image(const GroupRun& g) const { return g.image(x, conv.C, conv.H, conv.W); }
  std::string name() const {
    return std::string("conv2d") + (folded_ ? "+batch_norm" : "") + (relu ? "+relu" : "");
  }
  /// Columns of a ring: with those that whole tiles read, and an odd number, so that channels do not meet in
  /// the same sets of the level-1 cache.
  int64_t columns() const { return (next.shape.padding + conv.Q + next.halo().behind) | 1; }

  Conv conv, next;
  int x = -1;
  bool relu = false;

 private:
  static constexpr int64_t kTilesAtLeast = 6;
  static constexpr int64_t kGap = 64;  // between rings, for alignment
  int w_ = -1, bias_ = -1;
  std::shared_ptr<FoldedFilters> folded_;
};

/// Memory of a node: rings behind what the Winograd kernels need.
int64_t kernel_floats(const LaneTable& t, const Ahead& a) {
  return ceil_div(a.next.winograd_of(t.kernels).workspace_floats(a.next.C, a.columns(), a.next.K), 64) * 64;
}

class ChainNode final : public ConvNode {
 public:
  ChainNode(const Ahead& ahead, const Conv& c, int w, int b, int y)
      : ConvNode(c, ahead.x, w, b, y), ahead_(ahead) {
    ahead_.add_to(*this);
  }
  std::string name() const override { return ahead_.name() + " > " + ConvNode::name(); }
  int64_t workspace_floats(const LaneTable& t) const override {
    return kernel_floats(t, ahead_) + ahead_.ring_floats(t);
  }
  void run(const GroupRun& g) const override {
    const cpu::LaneImage rows = ahead_.ring(g.table, g.workspace + kernel_floats(g.table, ahead_));
    const cpu::LaneEpilogue to = epilogue(g);
    // A pooling leaves out an odd last row, and with it perhaps the last row of tiles.
    const int64_t T = pool ? conv.tiling().tiles(conv.P / 2 * 2) : ahead_.tile_rows();
    for (int64_t t0 = 0; t0 < T; t0 += ahead_.band()) {
      const int64_t t1 = std::min(T, t0 + ahead_.band());
      ahead_.make_rows(g, rows, t0, t1);
      conv.winograd_of(g.table.kernels)
          .forward_rows(rows, conv.shape.padding, winograd_form(), to, conv.P, conv.Q, t0, t1, g.workspace);
    }
  }

 private:
  Ahead ahead_;
};

class ChainGradientNode final : public ConvGradientNode {
 public:
  ChainGradientNode(const Ahead& ahead, const Conv& c, int w, int dy)
      : ConvGradientNode(c, ahead.x, w, dy), ahead_(ahead), ahead_sums{.conv = ahead.conv} {
    ahead_.add_to(*this);
  }
  std::string name() const override { return ConvGradientNode::name() + " > conv2d_gradient"; }
  int64_t workspace_floats(const LaneTable& t) const override {
    const int64_t bits = ahead_.ring_rows() * ahead_.conv.Q * turned_rows(t, nullptr).channels;
    return kernel_floats(t, ahead_) + ahead_.ring_floats(t) + ceil_div(bits, 2);
  }
  int64_t slot_floats(const LaneTable& t) const override { return sums.floats(t) + ahead_sums.floats(t); }
  int64_t tasks(const LaneTable&) const override { return sums.tasks() + ahead_sums.tasks(); }
  void finish(const LaneTable& t, const Runtime& runtime, const float* totals, int64_t task) const override {
    if (task < sums.tasks()) return sums.finish(t, runtime, totals, task);
    ahead_sums.finish(t, runtime, totals + sums.floats(t), task - sums.tasks());
  }
  std::vector<int> results() const override {
    std::vector<int> all = sums.results();
    for (int v : ahead_sums.results()) all.push_back(v);
    return all;
  }

  void run(const GroupRun& g) const override {
    const LaneTable& t = g.table;
    float *memory = g.workspace + kernel_floats(t, ahead_), *totals = slot(g),
          *ahead_totals = totals + sums.floats(t);
    const cpu::LaneTurnedRows rows = turned_rows(t, g.workspace);
    const cpu::LaneImage dx = ahead_.ring(t, memory), x = ahead_.image(g), no_rows = without_data(rows.ring);
    const cpu::LaneBits positive{reinterpret_cast<uint16_t*>(memory + ahead_.ring_floats(t)), dx.ring,
                                 rows.channels * ahead_.conv.Q, rows.channels};
    const cpu::LaneGradient dy = gradient(g), ahead_dy{.dy = dx,
                                                       .P = ahead_.conv.P,
                                                       .Q = ahead_.conv.Q,
                                                       .positive = ahead_.relu ? positive : cpu::LaneBits{}};
    const cpu::WinogradSimd& winograd = sums.conv.winograd_of(t.kernels);
    const int64_t T = ahead_.tile_rows(), padding = sums.conv.shape.padding, edge = winograd.tiling.edge();
    const int64_t band = std::min(ahead_.band(), (rows.ring - winograd.tiling.patch_end(0)) / edge);
    int64_t done = 0;  // rows of dx
    for (int64_t t0 = 0; t0 < T; t0 += band) {
      const int64_t t1 = std::min(T, t0 + band);
      ahead_.make_turned_rows(g, rows, positive, t0, t1);
      winograd.backward_rows(no_rows, padding, u->data(), dy, totals, sums.bias(t, totals), dx, t0, t1,
                             g.workspace);
      const int64_t end = t1 < T ? std::clamp<int64_t>(edge * t1 - padding, 0, ahead_.conv.P) : ahead_.conv.P;
      t.kernels.conv.weight_rows(ahead_.conv.shape, x, ahead_dy, ahead_totals,
                                 ahead_sums.bias(t, ahead_totals), done, end);
      done = end;
    }
  }

 private:
  /// The rows in between, which the Winograd kernel finds in its workspace.
  cpu::LaneImage without_data(int64_t ring) const {
    return {nullptr, ahead_.conv.K, ahead_.conv.P, ahead_.conv.Q, 0, 0, ring};
  }
  cpu::LaneTurnedRows turned_rows(const LaneTable& t, float* workspace) const {
    const Conv& c = sums.conv;
    return c.winograd_of(t.kernels).turned_rows(without_data(ahead_.ring_rows()), c.shape.padding, c.K, c.Q,
                                                workspace);
  }
  Ahead ahead_;

 public:
  ConvSums ahead_sums;
};

}  // namespace

std::unique_ptr<ConvNode> chained_conv(Planner& p, int step, const Conv& conv) {
  const ConvFusion& fusion = p.fusions().convs.at(step);
  const Step& s = p.graph().step(step);
  const int b = s.inputs.size() > 2 ? s.inputs[2] : -1;
  p.need_rows(s.inputs[1]);
  if (b >= 0) p.need_rows(b);
  const Ahead ahead(p, fusion.ahead, conv);
  auto node = std::make_unique<ChainNode>(ahead, conv, s.inputs[1], b, p.make(fusion.result));
  const ConvFusion& first = p.fusions().convs.at(fusion.ahead);
  for (int step_ahead : {fusion.ahead, first.norm, first.relu})
    if (step_ahead >= 0) node->steps.push_back(step_ahead);
  return node;
}

std::unique_ptr<ConvGradientNode> chained_conv_gradient(Planner& p, const ConvGradientFusion& fusion,
                                                        const Conv& conv, int dy) {
  const Graph& graph = p.graph();
  const ConvGradientFusion& f = p.fusions().conv_gradients.at(fusion.ahead_gradient);
  const Ahead ahead(p, fusion.ahead, conv);
  const int w = graph.in(fusion.input, 1);
  auto node = std::make_unique<ChainGradientNode>(ahead, conv, w, dy);
  node->sums.winograd = true;
  node->u = winograd_weights(p, conv, w);
  node->ahead_sums.weight_out = graph.out(f.weight);
  node->ahead_sums.bias_out = f.bias >= 0 ? graph.out(f.bias) : -1;
  for (int s : {f.weight, f.bias})
    if (s >= 0) node->steps.push_back(s);
  return node;
}

}  // namespace uncial::program::lanes
