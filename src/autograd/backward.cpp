#include <queue>
#include <unordered_map>

#include "node.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/origin.h"

namespace uncial {
namespace {

/// Gradients that have arrived at the outputs of a node.
struct Arrived {
  std::shared_ptr<Node> node;
  Tensors dy;
};

/// Later nodes first: a node is visited after everybody that consumed its outputs.
struct Earlier {
  bool operator()(const Node* a, const Node* b) const { return a->sequence < b->sequence; }
};

class Walk {
 public:
  explicit Walk(GradientOptions options) : options_(options) {}

  /// Asks for the gradient that arrives at `x` instead of adding it to a leaf; `slot` numbers the answer.
  void capture(const Tensor& x, size_t slot) {
    const auto& state = x.tape_state();
    if (!state) return;
    if (state->node)
      captured_nodes_[state->node.get()].push_back({state->output, slot});
    else
      captured_leaves_[state.get()].push_back(slot);
  }
  void only_captured() { only_captured_ = true; }

  Tensors run(const Tensor& y, const Tensor& dy, size_t slots) {
    answers_.resize(slots);
    const auto& state = y.tape_state();
    if (state->node)
      deliver({state->node, state->output, nullptr}, dy);
    else
      deliver({nullptr, 0, state}, dy);
    while (!queue_.empty()) {
      Node* top = queue_.top();
      queue_.pop();
      const auto found = arrived_.find(top);
      const Arrived arrived = std::move(found->second);
      arrived_.erase(found);
      visit(arrived.node, arrived.dy);
    }
    return std::move(answers_);
  }

 private:
  void visit(const std::shared_ptr<Node>& self, const Tensors& dy) {
    Node& node = *self;
    if (const auto found = captured_nodes_.find(&node); found != captured_nodes_.end())
      for (const auto& [output, slot] : found->second) answers_[slot] = dy[output];
    require(!node.freed, "backward: the graph behind ", node.op->name(),
            " was freed by an earlier backward(); pass retain_graph = true to the first one.");
    check_versions(node, node.inputs, node.input_versions, "input");
    check_versions(node, node.outputs, node.output_versions, "output");
    const OriginScope origin({node.layer, Pass::backward});
    const Tensors dx = node.op->gradient(context(self, dy));
    ensure(dx.size() <= node.edges.size(), node.op->name(), " returned ", dx.size(), " gradients for ",
           node.edges.size(), " inputs");
    if (!options_.retain_graph) node.free_saved();
    for (size_t i = 0; i < dx.size(); ++i) {
      if (!node.edges[i] || !dx[i].defined()) continue;
      ensure(dx[i].shape() == node.input_specs[i].shape, node.op->name(), ": gradient of input ", i,
             " has shape ", dx[i].shape(), ", the input ", node.input_specs[i].shape);
      deliver(node.edges[i], dx[i]);
    }
  }

  Backward context(const std::shared_ptr<Node>& self, Tensors dy) {
    const Node& node = *self;
    for (size_t i = 0; i < dy.size(); ++i)
      if (!dy[i].defined()) {
        const Spec& s = node.output_specs[i];
        dy[i] = zeros(s.shape, s.dtype, s.device);
      }
    std::vector<bool> needed;
    for (const Edge& e : node.edges) needed.push_back(bool(e));
    Tensors outputs = node.outputs;
    if (options_.create_graph)  // outputs were saved cut off from the tape; put them back on it
      for (size_t i = 0; i < outputs.size(); ++i)
        if (outputs[i].defined()) {
          outputs[i] = outputs[i].detach();
          outputs[i].tape_state() = std::make_shared<TapeState>(TapeState{true, Tensor(), self, i});
        }
    return Backward(std::move(dy), node.inputs, std::move(outputs), std::move(needed), node.input_specs);
  }

  static void check_versions(const Node& node, const Tensors& saved, const std::vector<uint64_t>& versions,
                             const char* what) {
    for (size_t i = 0; i < saved.size(); ++i)
      require(!saved[i].defined() || saved[i].version() == versions[i], "backward: ", what, " ", i, " of ",
              node.op->name(), " was changed in place after it was saved; change a clone() instead.");
  }

  void deliver(const Edge& edge, const Tensor& gradient) {
    if (edge.leaf) return deliver_to_leaf(*edge.leaf, gradient);
    auto [place, fresh] = arrived_.try_emplace(edge.node.get());
    if (fresh) {
      place->second = {edge.node, Tensors(edge.node->output_specs.size())};
      queue_.push(edge.node.get());
    }
    Tensor& sum = place->second.dy[edge.output];
    sum = sum.defined() ? accumulate(sum, gradient) : gradient;
  }

  void deliver_to_leaf(TapeState& leaf, const Tensor& gradient) {
    if (const auto found = captured_leaves_.find(&leaf); found != captured_leaves_.end())
      for (size_t slot : found->second)
        answers_[slot] = answers_[slot].defined() ? accumulate(answers_[slot], gradient) : gradient;
    if (only_captured_) return;
    Recorder* recorder = current_recorder();
    if (recorder)
      recorder->on_grad(
          &leaf, leaf.grad.defined() ? Recorder::GradEvent::added : Recorder::GradEvent::arrived, leaf.grad);
    if (leaf.grad.defined())
      leaf.grad = accumulate(leaf.grad, gradient);
    else if (gradient.is_contiguous() && gradient.owns_memory_alone(recorder ? recorder->holds(gradient) : 0))
      leaf.grad = gradient.detach();
    else  // memory that somebody else sees too: dy of an addition, an expanded sum, the caller's own gradient
      leaf.grad = gradient.clone();
  }

  GradientOptions options_;
  bool only_captured_ = false;
  Tensors answers_;
  std::unordered_map<Node*, Arrived> arrived_;
  std::unordered_map<Node*, std::vector<std::pair<size_t, size_t>>> captured_nodes_;
  std::unordered_map<TapeState*, std::vector<size_t>> captured_leaves_;
  std::priority_queue<Node*, std::vector<Node*>, Earlier> queue_;
};

Tensor start_gradient(const Tensor& y, const Tensor& dy, const char* what) {
  require(y.requires_grad(), what, ": the tensor does not depend on anything that wants a gradient; ",
          "call set_requires_grad() on a leaf before computing it.");
  if (dy.defined()) {
    require(dy.shape() == y.shape() && dy.dtype() == y.dtype(), what, ": the gradient is ", dy.dtype(),
            dy.shape(), ", the tensor ", y.dtype(), y.shape(), ".");
    return dy;
  }
  require(y.size() == 1, what, ": needs a scalar, got shape ", y.shape(),
          "; reduce it first (y.sum(), y.mean()) or pass dLoss/dy.");
  return ones(y.shape(), y.dtype(), y.device());
}

}  // namespace

void Tensor::backward(bool retain_graph) const { backward(Tensor(), retain_graph); }

void Tensor::backward(const Tensor& gradient, bool retain_graph) const {
  const Tensor dy = start_gradient(*this, gradient, "backward");
  const NoGrad no_grad;
  Walk({.retain_graph = retain_graph}).run(*this, dy, 0);
}

Tensors gradients(const Tensor& y, const Tensors& xs, const Tensor& dy, GradientOptions options) {
  const Tensor start = start_gradient(y, dy, "gradients");
  std::optional<NoGrad> no_grad;
  if (!options.create_graph) no_grad.emplace();
  if (options.create_graph) options.retain_graph = true;
  Walk walk(options);
  walk.only_captured();
  for (size_t i = 0; i < xs.size(); ++i) walk.capture(xs[i], i);
  return walk.run(y, start, xs.size());
}

}  // namespace uncial
