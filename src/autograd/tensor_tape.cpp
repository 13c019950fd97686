// The members of Tensor that speak to the tape.
#include "node.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"

namespace uncial {

const Tensor& Tensor::set_requires_grad(bool requires_grad) const {
  require(!requires_grad || is_floating(dtype()),
          "set_requires_grad: only float tensors have gradients, got ", dtype(), ".");
  require(is_leaf(), "set_requires_grad: the tensor is a result of an operator; use detach() first.");
  auto& state = tape_state();
  if (!state) state = std::make_shared<TapeState>();
  state->requires_grad = requires_grad;
  return *this;
}

bool Tensor::requires_grad() const {
  const auto& state = tape_state();
  return state && state->requires_grad;
}

bool Tensor::is_leaf() const {
  const auto& state = tape_state();
  return !state || !state->node;
}

Tensor Tensor::grad() const {
  const auto& state = tape_state();
  return state ? state->grad : Tensor();
}

void Tensor::set_grad(Tensor gradient) const {
  require(!gradient.defined() || gradient.shape() == shape(), "set_grad: the gradient has shape ",
          gradient.defined() ? gradient.shape() : Shape(), ", the tensor ", shape(), ".");
  auto& state = tape_state();
  if (!state) state = std::make_shared<TapeState>();
  if (Recorder* recorder = current_recorder())
    recorder->on_grad(state.get(), Recorder::GradEvent::reset, state->grad);
  state->grad = std::move(gradient);
}

Tensor Tensor::detach() const { return Tensor(storage(), dtype(), shape(), strides(), offset()); }

Tensor parameter(const Tensor& x) {
  const NoGrad no_grad;
  const Tensor leaf = x.is_leaf() ? x.detach() : x.clone().detach();
  leaf.set_requires_grad();
  return leaf;
}

}  // namespace uncial
