#include "head_stage.h"

#include "loss_head.h"
#include "queries.h"
#include "uncial/kernels/dropout.h"

namespace uncial::program::cuda {
namespace {

using uncial::cuda::LossHead;

class HeadFinder : GpuQueries {
 public:
  HeadFinder(const Graph& graph, const std::vector<bool>& taken) : GpuQueries(graph), taken_(taken) {}

  std::optional<FoundHead> find(int cross_entropy) {
    const int linear = g_.writer(g_.in_buffer(cross_entropy, 0));
    if (linear < 0 || !g_.is(linear, "linear") || g_.step(cross_entropy).inputs.size() != 2) return {};
    found_.steps = {linear, cross_entropy};
    found_.labels = g_.in(cross_entropy, 1);
    found_.loss = g_.out(cross_entropy, 0);
    found_.smoothing = attribute<double>(*g_.step(cross_entropy).op, "label_smoothing");
    if (!add_products(linear, g_.out(cross_entropy, 1))) return {};
    const int logits = g_.out(linear);
    if (!stays_inside(g_.value(logits).buffer, found_.steps)) found_.logits = logits;
    if (!fits() || !free() || !closed(found_.steps, results(found_))) return {};
    if (g_.writer(g_.value(found_.dloss).buffer) > cross_entropy) return {};
    add_activation();
    return found_;
  }

 private:
  /// The product's factors before rounding, and the products that are its gradients.
  bool add_products(int linear, int gradient) {
    found_.z = g_.in(linear, 0), found_.w = g_.in(linear, 1);
    if (g_.step(linear).inputs.size() > 2) found_.bias = g_.in(linear, 2);
    const int of_x = rounding_of(found_.z), of_w = rounding_of(found_.w);
    if (precision_of(of_x) != precision_of(of_w)) return false;
    found_.precision = precision_of(of_x);
    const bool rounds = of_x >= 0;
    x_ = g_.value(found_.z).buffer;
    if (rounds && g_.temporary(x_) && !taken_[size_t(of_x)]) {
      found_.z = g_.in(of_x, 0);
      found_.steps.insert(of_x);
    }
    if (rounds) {
      found_.w = g_.in(of_w, 0);
      if (g_.temporary(g_.out_buffer(of_w))) found_.steps.insert(of_w);
    }
    const int scaled = only_reader(g_.value(gradient).buffer);
    if (scaled < 0 || !g_.is(scaled, "multiply")) return false;
    found_.dloss = g_.in(scaled, g_.in_buffer(scaled, 0) == g_.value(gradient).buffer ? 1 : 0);
    if (count(g_.value(found_.dloss).shape) != 1) return false;
    found_.steps.insert(scaled);
    int d = g_.out(scaled);
    add_bias_sum(d);
    if (rounds) {
      const int rounding = rounding_behind(d);
      if (rounding < 0 || g_.rounds_to(rounding) != found_.precision) return false;
      found_.steps.insert(rounding);
      d = g_.out(rounding);
      const int before = found_.dbias;
      add_bias_sum(d);
      found_.round_bias = found_.dbias != before;
    }
    for (int s : g_.readers(g_.value(d).buffer))
      if (g_.is(s, "matmul")) add_gradient(s, g_.value(d).buffer);
    return found_.dw >= 0;
  }
  Precision precision_of(int rounding) const {
    return rounding < 0 ? Precision::float32 : g_.rounds_to(rounding);
  }
  void add_bias_sum(int d) {
    for (int s : g_.readers(g_.value(d).buffer))
      if (g_.is(s, "sum") && attribute<int64_t>(*g_.step(s).op, "first_axis") == 0 &&
          attribute<int64_t>(*g_.step(s).op, "last_axis") == 1) {
        found_.steps.insert(s);
        found_.dbias = where_it_goes(g_.out(s), found_.steps);
      }
  }
  /// dlogits w, or dlogits^T x.
  void add_gradient(int s, int d) {
    const int64_t N = g_.value(found_.z).shape[0], classes = g_.value(found_.w).shape[0];
    const Shape& left = g_.value(g_.in(s, 0)).shape;
    if (g_.in_buffer(s, 0) != d) return;
    if (g_.in_buffer(s, 1) == x_ && left == Shape{classes, N}) {
      found_.steps.insert(s);
      found_.dw = where_it_goes(g_.out(s), found_.steps);
    } else if (left == Shape{N, classes} && g_.value(g_.out(s)).shape == g_.value(found_.z).shape) {
      found_.steps.insert(s);
      found_.dz = g_.out(s);
    }
  }
  bool fits() const {
    const Shape &z = g_.value(found_.z).shape, &w = g_.value(found_.w).shape;
    if (z.rank() != 2 || w.rank() != 2 || w[0] > uncial::cuda::kMaxHeadClasses) return false;
    for (int v : {found_.z, found_.w, found_.bias, found_.logits, found_.dz, found_.dw, found_.dbias})
      if (v >= 0 && !plain(v)) return false;
    return count(w) * int64_t(sizeof(float)) <= uncial::cuda::kMaxHeadBytes && z[0] > 0 &&
           is_row_major(g_.value(found_.labels).shape, g_.value(found_.labels).strides);
  }

  /// ReLU and dropout before the layer, when their gradients follow behind it and nobody else needs what lies
  /// between.
  void add_activation() {
    FoundHead with = found_;
    int v = with.z, d = with.dz;
    if (d < 0) return;
    const int dropout = g_.writer(g_.value(v).buffer);
    if (dropout >= 0 && g_.is(dropout, "dropout") && g_.whole(v)) {
      const int undo = only_reader(g_.value(d).buffer);
      if (undo < 0 || !g_.is(undo, "dropout") || !same_mask(dropout, undo)) return;
      with.dropout = dropout;
      with.steps.insert({dropout, undo});
      v = g_.in(dropout, 0), d = g_.out(undo);
    }
    const int relu = g_.writer(g_.value(v).buffer), undo = only_reader(g_.value(d).buffer);
    if (relu < 0 || !g_.is(relu, "relu") || !g_.whole(v) || !is_relu_gradient(undo) ||
        g_.in_buffer(undo, 0) != g_.value(v).buffer || g_.in_buffer(undo, 1) != g_.value(d).buffer)
      return;
    with.steps.insert({relu, undo});
    with.relu = true;
    with.z = g_.in(relu, 0), with.dz = g_.out(undo);
    if (!plain(with.z) || !plain(with.dz) || g_.value(with.z).shape != g_.value(found_.z).shape) return;
    if (!closed(with.steps, results(with))) return;
    std::swap(found_, with);
    if (!free()) found_ = with;
  }
  static std::set<int> results(const FoundHead& h) { return {h.loss, h.logits, h.dz, h.dw, h.dbias}; }
  bool free() const {
    return std::none_of(found_.steps.begin(), found_.steps.end(), [&](int s) { return taken_[size_t(s)]; });
  }
  bool same_mask(int a, int b) const {
    for (size_t i : {1, 2})
      if (!same_window(g_.in(a, i), g_.in(b, i))) return false;
    return attribute<double>(*g_.step(a).op, "p") == attribute<double>(*g_.step(b).op, "p");
  }

  const std::vector<bool>& taken_;
  FoundHead found_;
  int x_ = -1;  ///< buffer of the product's left factor
};

class HeadStage final : public Stage {
 public:
  HeadStage(const Graph& graph, const FoundHead& found) : found_(found) {
    steps_.assign(found.steps.begin(), found.steps.end());
    for (int v : {found.z, found.w, found.bias, found.labels, found.dloss, found.loss, found.logits, found.dz,
                  found.dw, found.dbias})
      if (v >= 0) values_.push_back(v);
    const Shape &z = graph.value(found.z).shape, &w = graph.value(found.w).shape;
    head_.N = z[0];
    head_.features = int(z[1]), head_.classes = int(w[0]);
    head_.relu = found.relu, head_.precision = found.precision, head_.round_bias = found.round_bias;
    head_.scale = 1;
    head_.smoothing = found.smoothing;
    if (found.dropout >= 0) {
      const double p = attribute<double>(*graph.step(found.dropout).op, "p");
      head_.threshold = dropout_threshold(p), head_.scale = float(1 / (1 - p));
      state_ = graph.in(found.dropout, 1), samples_ = graph.in(found.dropout, 2);
      values_.insert(values_.end(), {state_, samples_});
    }
    row_losses_.bytes = head_.N * int64_t(sizeof(double));
    x_.bytes = head_.N * head_.features * int64_t(sizeof(float));
    dlogits_.bytes = head_.N * uncial::cuda::kMaxHeadClasses * int64_t(sizeof(float));
  }
  std::string name() const override { return "loss_head"; }
  std::vector<Block*> own_blocks() override { return {&row_losses_, &x_, &dlogits_}; }
  void run(const Runtime& runtime) override {
    LossHead h = head_;
    const auto floats = [&](int v) {
      return v < 0 ? nullptr : static_cast<float*>(runtime.views[size_t(v)].data);
    };
    const auto integers = [&](int v) {
      return v < 0 ? nullptr : static_cast<const int64_t*>(runtime.views[size_t(v)].data);
    };
    h.z = floats(found_.z), h.w = floats(found_.w), h.bias = floats(found_.bias);
    h.labels = integers(found_.labels), h.dloss = floats(found_.dloss);
    h.loss = floats(found_.loss), h.logits = floats(found_.logits), h.dz = floats(found_.dz),
    h.dw = floats(found_.dw), h.dbias = floats(found_.dbias);
    h.dropout_state = integers(state_), h.samples = integers(samples_);
    h.row_losses = reinterpret_cast<double*>(runtime.arena + row_losses_.offset);
    h.x = reinterpret_cast<float*>(runtime.arena + x_.offset);
    h.dlogits = reinterpret_cast<float*>(runtime.arena + dlogits_.offset);
    uncial::cuda::run(h);
  }

 private:
  FoundHead found_;
  LossHead head_{};
  int state_ = -1, samples_ = -1;
  Block row_losses_ = Block::unused(0), x_ = Block::unused(0), dlogits_ = Block::unused(0);
};

}  // namespace

std::optional<FoundHead> find_head(const Graph& graph, int cross_entropy, const std::vector<bool>& taken) {
  return HeadFinder(graph, taken).find(cross_entropy);
}

std::unique_ptr<Stage> head_stage(const Graph& graph, const FoundHead& found) {
  return std::make_unique<HeadStage>(graph, found);
}

}  // namespace uncial::program::cuda
