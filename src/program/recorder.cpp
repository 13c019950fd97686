#include "recorder.h"

namespace uncial::program {
namespace {

View view_of(const Value& v, const Buffer& b) {
  return {static_cast<std::byte*>(b.storage->data()) + v.offset * size_of(v.dtype), v.dtype, v.device,
          v.shape, v.strides};
}

}  // namespace

ProgramRecorder::ProgramRecorder(const Tensors& inputs) {
  for (const Tensor& x : inputs) {
    const int value = value_of(x, Role::input);
    buffers_[size_t(values_[size_t(value)].buffer)].input = int(inputs_.size());
    inputs_.push_back(value);
  }
}

int ProgramRecorder::buffer_of(const Tensor& x, Role role_if_new) {
  const auto [place, fresh] = known_.try_emplace(x.storage().get(), int(buffers_.size()));
  if (fresh) {
    const int step = int(steps_.size());
    // The recorder keeps every storage alive, so that an address never names two buffers.
    buffers_.push_back({.role = role_if_new,
                        .bytes = x.storage()->bytes(),
                        .first_step = step,
                        .last_step = step,
                        .storage = x.storage()});
  }
  return place->second;
}

int ProgramRecorder::value_of(const Tensor& x, Role role_if_new) {
  const int buffer = buffer_of(x, role_if_new);
  buffers_[size_t(buffer)].last_step = int(steps_.size());
  values_.push_back({buffer, x.dtype(), x.shape(), x.strides(), x.offset(), x.device()});
  if (x.device() != values_[0].device)
    object(join("the step works on two devices, ", values_[0].device, " and ", x.device()));
  return int(values_.size()) - 1;
}

void ProgramRecorder::on_op(const std::shared_ptr<const Op>& op, const Tensors& inputs,
                            const Tensors& outputs) {
  Step step{.op = op,
            .inputs = {},
            .outputs = {},
            .is_view = dynamic_cast<const ViewOp*>(op.get()) != nullptr,
            .origin = current_origin()};
  for (size_t i = 0; i < inputs.size(); ++i) {
    step.inputs.push_back(value_of(inputs[i], Role::external));
    if (!op->writes(i)) continue;
    written_.insert(values_[size_t(step.inputs.back())].buffer);
    if (is_input(inputs[i])) object(join(op->name(), " changes an input of the step in place"));
  }
  for (const Tensor& y : outputs) step.outputs.push_back(value_of(y, Role::temporary));
  if (!refusal_.empty()) return;  // it has run
  steps_.push_back(std::move(step));
  if (!objection_.empty()) refuse(objection_);
}

void ProgramRecorder::object(const std::string& reason) {
  if (objection_.empty()) objection_ = reason;
}

void ProgramRecorder::on_host_access(const Tensor& x, std::string_view how) {
  const auto found = known_.find(x.storage().get());
  // A tensor that no recorded operator made or changed is a constant or state of the host: not our business.
  if (found == known_.end()) return;
  if (buffers_[size_t(found->second)].role == Role::external && !written_.count(found->second)) return;
  refuse(join("the host used ", how, " on a tensor ", x.shape(), " inside the recorded step"));
}

void ProgramRecorder::on_grad(const void* leaf, GradEvent event, const Tensor& previous) {
  switch (event) {
    case GradEvent::reset:
      reset_.insert(leaf);
      arrived_.erase(leaf);
      break;
    case GradEvent::arrived:
      if (!reset_.count(leaf)) arrived_.insert(leaf);
      break;
    case GradEvent::added:
      // A sum with a gradient of an earlier step: the host exchanges the tensor behind grad(), which no
      // replay does.
      if (!known_.count(previous.storage().get()))
        refuse("a gradient is added to one from before the step; call zero_grad() in the step");
      break;
  }
}

void ProgramRecorder::refuse(const std::string& reason) {
  if (!refusal_.empty()) return;
  run_deferred();
  refusal_ = reason;
}

/// Brings everything into the state that running each operator at once would have left.
void ProgramRecorder::run_deferred() {
  const auto views = [this](const std::vector<int>& numbers) {
    std::vector<View> all;
    for (int v : numbers)
      all.push_back(view_of(values_[size_t(v)], buffers_[size_t(values_[size_t(v)].buffer)]));
    return all;
  };
  for (const Step& s : steps_) {
    if (s.is_view) continue;
    Specs specs;
    for (int v : s.inputs) specs.push_back(values_[size_t(v)].spec());
    run_now(*s.op, specs, views(s.inputs), views(s.outputs));
  }
}

bool ProgramRecorder::is_input(const Tensor& x) const {
  const auto found = known_.find(x.storage().get());
  return found != known_.end() && buffers_[size_t(found->second)].role == Role::input;
}

const std::string& ProgramRecorder::refusal() {
  if (!objection_.empty()) refuse(objection_);  // of inputs, when no operator came
  if (!arrived_.empty())
    refuse("the step leaves gradients behind that the next one would add to; call zero_grad() in the step");
  return refusal_;
}

std::unique_ptr<Program> ProgramRecorder::finish(const Tensors& outputs, const PlanOptions& options) {
  std::vector<int> results;
  for (const Tensor& y : outputs) results.push_back(value_of(y, Role::external));
  known_.clear();
  for (Buffer& b : buffers_) {
    if (b.role == Role::input) b.storage.reset();
    if (b.role != Role::temporary) continue;
    // Somebody beside the recorder holds it: the caller (a result), or a tensor that lives on (a parameter's
    // grad()).
    if (b.storage.use_count() > 1)
      b.role = Role::result;
    else
      b.storage.reset();
  }
  return std::make_unique<Program>(std::move(buffers_), std::move(values_), std::move(steps_),
                                   std::move(inputs_), std::move(results), options);
}

}  // namespace uncial::program
