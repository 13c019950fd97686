#include "uncial/autograd/op.h"

#include <algorithm>

#include "node.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/parallel.h"

namespace uncial {
namespace {

thread_local Recorder* recorder = nullptr;

bool wants_gradient(const Op& op, const Tensors& inputs) {
  if (!grad_enabled()) return false;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.differentiable(i) && inputs[i].requires_grad()) return true;
  return false;
}

void check_inputs(const Op& op, const Tensors& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    require(inputs[i].defined(), op.name(), ": input ", i, " is an undefined tensor.");
    require(inputs[i].device() == inputs[0].device(), op.name(), ": input 0 is on ", inputs[0].device(),
            " and input ", i, " on ", inputs[i].device(), "; move one of them with to(device).");
    require(!op.writes(i) || !grad_enabled() || !inputs[i].requires_grad(), op.name(), ": input ", i,
            " wants a gradient and would be changed in place; do it under NoGrad, or on detach().");
  }
}

Tensors run_view(const ViewOp& op, const Tensor& x) {
  const ViewOp::Window w = op.window(x.shape(), x.strides());
  return {Tensor(x.storage(), x.dtype(), w.shape, w.strides, x.offset() + w.offset)};
}

Tensors run_op(const Op& op, const Tensors& inputs) {
  Specs specs;
  std::vector<View> in, out;
  for (const Tensor& x : inputs) {
    specs.push_back(x.spec());
    in.push_back(x.view());
  }
  Tensors outputs;
  for (const Spec& spec : op.infer(specs)) {
    outputs.push_back(empty(spec.shape, spec.dtype, spec.device));
    out.push_back(outputs.back().view());
  }
  if (!recorder || !recorder->defers()) run_now(op, specs, in, out);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.writes(i)) inputs[i].mark_changed();
  return outputs;
}

}  // namespace

void run_now(const Op& op, std::span<const Spec> specs, std::span<const View> in, std::span<const View> out) {
  std::shared_ptr<Storage> workspace;
  if (const int64_t bytes = op.workspace_bytes(specs))
    workspace = std::make_shared<Storage>(bytes, in.empty() ? out[0].device : in[0].device);
  const FlushDenormals flush;
  op.run({in, out, workspace ? workspace->data() : nullptr});
}

Tensors Op::gradient(const Backward&) const {
  fail(ErrorKind::usage, name(), ": has no gradient; cut it off with detach() or run it under NoGrad.");
}

Cost Op::cost(std::span<const Spec> in, std::span<const Spec> out) const {
  Cost c;
  for (const Spec& s : in) c.bytes += double(s.bytes());
  for (const Spec& s : out) c.bytes += double(s.bytes());
  return c;
}

Specs ViewOp::infer(std::span<const Spec> in) const {
  return {{in[0].dtype, window(in[0].shape, row_major(in[0].shape)).shape, in[0].device}};
}

Tensors apply_op(std::shared_ptr<const Op> op, Tensors inputs) {
  check_inputs(*op, inputs);
  if (!op->takes_strides())
    for (Tensor& x : inputs) x = x.contiguous();
  const auto* view = dynamic_cast<const ViewOp*>(op.get());
  Tensors outputs = view ? run_view(*view, inputs[0]) : run_op(*op, inputs);
  if (wants_gradient(*op, inputs)) append_to_tape(op, inputs, outputs);
  if (recorder) recorder->on_op(op, inputs, outputs);
  return outputs;
}

Tensor apply1(std::shared_ptr<const Op> op, Tensors inputs) {
  Tensors outputs = apply_op(std::move(op), std::move(inputs));
  return std::move(outputs.front());
}

Recorder* current_recorder() { return recorder; }
RecorderScope::RecorderScope(Recorder* r) : previous_(recorder) { recorder = r; }
RecorderScope::~RecorderScope() { recorder = previous_; }

}  // namespace uncial
