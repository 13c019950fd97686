#include "node.h"

#include <atomic>

#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/origin.h"

namespace uncial {
namespace {
std::atomic<uint64_t> next_sequence{1};
thread_local bool recording_gradients = true;
}  // namespace

void release_node(std::shared_ptr<Node> node) {
  thread_local std::vector<std::shared_ptr<Node>> queue;
  thread_local bool draining = false;
  queue.push_back(std::move(node));
  if (draining) return;
  draining = true;
  while (!queue.empty()) {
    const std::shared_ptr<Node> last = std::move(queue.back());
    queue.pop_back();
    // `last` dies here; ~Node puts its own predecessors on the queue instead of recursing into them.
  }
  draining = false;
}

void append_to_tape(const std::shared_ptr<const Op>& op, const Tensors& inputs, const Tensors& outputs) {
  auto node = std::make_shared<Node>();
  node->op = op;
  if (current_recorder()) node->layer = current_origin().layer;
  node->sequence = next_sequence.fetch_add(1, std::memory_order_relaxed);
  const Saves saves = op->saves();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    const std::shared_ptr<TapeState>& state = x.tape_state();
    Edge edge;
    if (state && state->requires_grad && op->differentiable(i)) {
      if (state->node)
        edge = {state->node, state->output, nullptr};
      else
        edge = {nullptr, 0, state};
    }
    node->edges.push_back(std::move(edge));
    node->input_specs.push_back(x.spec());
    const bool saved = i < 32 ? (saves.inputs >> i & 1) : saves.inputs == ~0u;
    node->inputs.push_back(saved ? x : Tensor());
    node->input_versions.push_back(saved ? x.version() : 0);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = outputs[i];
    node->output_specs.push_back(y.spec());
    const bool saved = i < 32 && (saves.outputs >> i & 1);
    node->outputs.push_back(saved ? y.detach() : Tensor());
    node->output_versions.push_back(saved ? y.version() : 0);
    if (!is_floating(y.dtype())) continue;
    y.tape_state() = std::make_shared<TapeState>(TapeState{true, Tensor(), node, i});
  }
}

bool grad_enabled() { return recording_gradients; }
NoGrad::NoGrad() : previous_(recording_gradients) { recording_gradients = false; }
NoGrad::~NoGrad() { recording_gradients = previous_; }

}  // namespace uncial
