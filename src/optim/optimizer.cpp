#include "uncial/optim/optimizer.h"

#include <cmath>

#include "nn/walk.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/origin.h"
#include "update_ops.h"

namespace uncial::optim {
namespace {

void check_rate(double lr) {
  require(std::isfinite(lr) && lr >= 0, "optimizer: the learning rate must be finite and >= 0, got ", lr,
          ".");
}

void check_parameter(const Tensor& p, size_t i) {
  require(p.defined(), "optimizer: parameter ", i, " is an undefined tensor.");
  require(p.dtype() == DType::float32 || p.dtype() == DType::float64, "optimizer: parameter ", i, " is ",
          p.dtype(), "; keep master weights in float32 or float64.");
  require(p.is_leaf() && p.requires_grad(), "optimizer: parameter ", i, " ", p.shape(),
          " is not a leaf that wants a gradient; make it with parameter(x).");
  require(p.is_contiguous(), "optimizer: parameter ", i, " ", p.shape(),
          " is a strided view; pass the tensor that it looks at.");
}

}  // namespace

Optimizer::Optimizer(double lr) {
  check_rate(lr);
  lr_ = full({}, lr, DType::float64);
  step_ = zeros({}, DType::int64);
}

void Optimizer::bind(const Tensors& parameters) {
  require(!parameters.empty(), "optimizer: there are no parameters to learn.");
  for (size_t i = 0; i < parameters.size(); ++i) check_parameter(parameters[i], i);
  parameters_ = parameters;
  slots_.clear();
  for (const Tensor& p : parameters) {
    Tensors& slots = slots_.emplace_back();
    for (size_t i = 0; i < this->slots().size(); ++i) slots.push_back(zeros_like(p));
  }
  const Device device = parameters[0].device();
  lr_ = full({}, lr(), DType::float64).to(device);  // tensors of its own: steps recorded before keep theirs
  step_ = zeros({}, DType::int64, device);
}

void Optimizer::step(const Tensor& unscale) {
  require(bound(), "optimizer: step() of a recipe; bind(parameters) first.");
  require(!unscale.defined() || (unscale.dtype() == DType::float32 && unscale.shape().empty() &&
                                 unscale.device() == parameters_[0].device()),
          "optimizer: unscale must be a float32 scalar on ", parameters_[0].device(), ".");
  const NoGrad no_grad;
  const OriginScope origin({"optimizer", Pass::update});
  advance(step_, unscale);
  for (size_t i = 0; i < parameters_.size(); ++i)
    if (const Tensor gradient = parameters_[i].grad(); gradient.defined())
      update(parameters_[i], gradient, slots_[i], {lr_, step_, unscale});
}

void Optimizer::zero_grad() {
  for (const Tensor& p : parameters_) p.zero_grad();
}

double Optimizer::lr() const { return lr_.item(); }

void Optimizer::set_lr(double lr) {
  check_rate(lr);
  lr_.fill_(lr);
}

int64_t Optimizer::steps() const { return step_.item<int64_t>(); }

NamedTensors Optimizer::state() const {
  NamedTensors state{{"step", step_}, {"lr", lr_}};
  const std::vector<std::string> names = slots();
  for (size_t i = 0; i < slots_.size(); ++i)
    for (size_t j = 0; j < names.size(); ++j) state.emplace_back(join(i, '.', names[j]), slots_[i][j]);
  return state;
}

void Optimizer::load_state(const NamedTensors& given) {
  nn::load_named(join("optimizer state of ", kind()), state(), given);
}

std::shared_ptr<Optimizer> Recipe::bind(const Tensors& parameters) const {
  std::shared_ptr<Optimizer> optimizer = make_->recipe();
  optimizer->bind(parameters);
  return optimizer;
}

}  // namespace uncial::optim
