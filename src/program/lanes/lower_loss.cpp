// Dropout and the loss.

#include "layout_nodes.h"
#include "planner.h"
#include "uncial/kernels/cross_entropy.h"
#include "uncial/kernels/dropout.h"

namespace uncial::program::lanes {
namespace {

class DropoutNode final : public Node {
 public:
  DropoutNode(double p, int x, int state, int samples, int y, int winners)
      : p_(p), x_(x), state_(state), samples_(samples), y_(y), winners_(winners) {
    lanes = {x, y};
    if (winners >= 0) lanes.push_back(winners);
    makes = {y};
    rows = {state, samples};
  }
  std::string name() const override { return "dropout"; }
  void run(const GroupRun& g) const override {
    const auto* state = g.operand<const int64_t>(state_);
    const DropoutMask mask = DropoutMask::of(state, dropout_threshold(p_));
    cpu::LaneStreams streams{};
    for (int64_t i = 0; i < g.samples; ++i) {
      const RandomStream s = mask.row(g.operand<const int64_t>(samples_)[g.first() + i]);
      streams.key0[i] = s.key()[0];
      streams.key1[i] = s.key()[1];
      streams.high[i] = uint32_t(s.first() >> 32);
      streams.a[i] = s.a();
      streams.b[i] = s.b();
    }
    g.table.kernels.dropout.dropout(g.memory(x_), g.table.values[size_t(x_)].elements(), streams,
                                    mask.threshold, float(1 / (1 - p_)), g.memory(y_),
                                    winners_ >= 0 ? g.memory<cpu::WinnerCode>(winners_) : nullptr);
  }

 private:
  double p_;
  int x_, state_, samples_, y_, winners_;
};

/// Loss and its gradient in one pass over the logits.
class CrossEntropyNode final : public ReducingNode {
 public:
  struct Operands {
    int logits;                       ///< lane value
    int labels, class_weights, loss;  ///< row-major; class_weights may be -1
    int gradient;                     ///< lane value
  };
  CrossEntropyNode(double smoothing, int64_t classes, int64_t samples, const Operands& operands)
      : smoothing_(smoothing), classes_(classes), o_(operands), weights_(size_t(samples)) {
    lanes = {o_.logits, o_.gradient};
    makes = {o_.gradient};
    rows = {o_.labels, o_.loss};
    if (o_.class_weights >= 0) rows.push_back(o_.class_weights);
  }
  std::string name() const override { return "cross_entropy"; }
  bool slot_a_group() const override { return true; }
  int64_t slot_floats(const LaneTable& t) const override { return 2 * t.kernels.lanes; }  // doubles

  void begin(const LaneTable&, const Runtime& runtime) override {
    const auto* labels = runtime.views[size_t(o_.labels)].as<const int64_t>();
    check_labels("cross_entropy", labels, int64_t(weights_.size()), classes_);
    const float* by_class =
        o_.class_weights >= 0 ? runtime.views[size_t(o_.class_weights)].as<const float>() : nullptr;
    const auto weight = [&](size_t i) { return by_class ? double(by_class[labels[i]]) : 1.0; };
    double total = 0;
    for (size_t i = 0; i < weights_.size(); ++i) total += weight(i);
    for (size_t i = 0; i < weights_.size(); ++i) weights_[i] = float(weight(i) / total);
  }
  void run(const GroupRun& g) const override {
    g.table.kernels.loss.cross_entropy(g.memory(o_.logits), classes_,
                                       g.operand<const int64_t>(o_.labels) + g.first(),
                                       weights_.data() + g.first(), smoothing_, g.samples,
                                       reinterpret_cast<double*>(slot(g)), g.memory(o_.gradient));
  }
  void finish(const LaneTable& t, const Runtime& runtime, const float*, int64_t) const override {
    double loss = 0;
    for (int64_t i = 0; i < t.samples; ++i)
      loss += reinterpret_cast<const double*>(slot(t, runtime, i / t.kernels.lanes))[i % t.kernels.lanes];
    *runtime.views[size_t(o_.loss)].as<float>() = float(loss);
  }

 private:
  double smoothing_;
  int64_t classes_;
  Operands o_;
  std::vector<float> weights_;
};

}  // namespace

void add_dropout(Planner& p, int step, int x, int y, int winners) {
  const Graph& graph = p.graph();
  auto node = std::make_unique<DropoutNode>(attribute<double>(*graph.step(step).op, "p"), x,
                                            graph.in(step, 1), graph.in(step, 2), y, winners);
  node->steps = {step};
  p.add(std::move(node));
}

bool lower_dropout(Planner& p, int step) {
  const Graph& graph = p.graph();
  if (!p.fits_lanes(graph.in(step, 0)) || !p.is_in_lanes(graph.in(step, 0))) return false;
  for (size_t i : {1, 2}) p.need_rows(graph.in(step, i));
  const int x = p.flat_in_lanes(graph.in(step, 0)), y = p.make(graph.out(step));
  p.fix(y);
  add_dropout(p, step, x, y, -1);
  return true;
}

bool lower_cross_entropy(Planner& p, int step) {
  const Graph& graph = p.graph();
  const Step& s = graph.step(step);
  if (!p.fits_lanes(s.inputs[0]) || !p.is_in_lanes(s.inputs[0])) return false;
  for (size_t i = 1; i < s.inputs.size(); ++i) p.need_rows(s.inputs[i]);
  const CrossEntropyNode::Operands o{.logits = p.flat_in_lanes(s.inputs[0]),
                                     .labels = s.inputs[1],
                                     .class_weights = s.inputs.size() > 2 ? s.inputs[2] : -1,
                                     .loss = s.outputs[0],
                                     .gradient = p.make(s.outputs[1])};
  p.fix(o.gradient);
  auto node = std::make_unique<CrossEntropyNode>(attribute<double>(*s.op, "label_smoothing"),
                                                 graph.value(s.inputs[0]).shape[1], p.samples(), o);
  node->steps = {step};
  p.add(std::move(node));
  p.makes_rows(s.outputs[0]);
  return true;
}

}  // namespace uncial::program::lanes
