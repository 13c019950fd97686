#include "nn/walk.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/optim/optimizer.h"
#include "update_ops.h"

namespace uncial::optim {

AveragedWeights::AveragedWeights(const Tensors& parameters, double decay)
    : parameters_(parameters), decay_(decay) {
  require(decay >= 0 && decay < 1, "AveragedWeights: decay must be in [0, 1), got ", decay, ".");
  const NoGrad no_grad;
  for (const Tensor& p : parameters_) {
    require(p.defined() && (p.dtype() == DType::float32 || p.dtype() == DType::float64),
            "AveragedWeights: takes float32 and float64 tensors only.");
    averages_.push_back(p.clone());
  }
  step_ = zeros({}, DType::int64, parameters_.empty() ? Device::cpu() : parameters_[0].device());
}

void AveragedWeights::restart() {
  const NoGrad no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) averages_[i].copy_(parameters_[i]);
  step_.fill_(0);
}

void AveragedWeights::update() {
  const NoGrad no_grad;
  const auto op = std::make_shared<const AverageOp>(decay_);
  for (size_t i = 0; i < parameters_.size(); ++i) apply_op(op, {averages_[i], parameters_[i], step_});
  advance(step_);
}

void AveragedWeights::swap() {
  const NoGrad no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor weights = parameters_[i].clone();
    parameters_[i].copy_(averages_[i]);
    averages_[i].copy_(weights);
  }
}

NamedTensors AveragedWeights::state() const {
  NamedTensors state{{"step", step_}};
  for (size_t i = 0; i < averages_.size(); ++i) state.emplace_back(join(i, ".average"), averages_[i]);
  return state;
}

void AveragedWeights::load_state(const NamedTensors& given) {
  nn::load_named("averaged weights", state(), given);
}

}  // namespace uncial::optim
