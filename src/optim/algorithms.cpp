// SGD, RMSprop, Adam and AdamW: options, and which operator updates a parameter.
#include <cmath>

#include "text.h"
#include "uncial/optim/optimizer.h"
#include "update_ops.h"

namespace uncial::optim {
namespace {

/// A share of the old value that an average keeps.
void check_share(const char* what, const char* name, double value) {
  require(value >= 0 && value < 1, what, ": ", name, " must be in [0, 1), got ", value, ".");
}

void check_not_negative(const char* what, const char* name, double value) {
  require(std::isfinite(value) && value >= 0, what, ": ", name, " must be finite and >= 0, got ", value, ".");
}

}  // namespace

SGD::SGD(SGDOptions options) : Optimizer(options.lr), options_(options) {
  check_share("SGD", "momentum", options.momentum);
  check_not_negative("SGD", "weight_decay", options.weight_decay);
  require(!options.nesterov || options.momentum > 0, "SGD: nesterov needs a momentum above 0.");
}

SGD::SGD(const ParameterList& parameters, SGDOptions options) : SGD(options) { bind(parameters); }

std::vector<std::string> SGD::slots() const {
  return options_.momentum == 0 ? std::vector<std::string>{} : std::vector<std::string>{"v"};
}

void SGD::update(const Tensor& p, const Tensor& g, const Tensors& slots, const Scalars& scalars) {
  Tensors inputs{p};
  inputs.insert(inputs.end(), slots.begin(), slots.end());
  inputs.insert(inputs.end(), {g, scalars.lr});
  if (scalars.unscale.defined()) inputs.push_back(scalars.unscale);
  apply_op(
      std::make_shared<const SgdOp>(SgdRule{options_.momentum, options_.weight_decay, options_.nesterov}),
      inputs);
}

std::string SGD::describe() const {
  return describe_options("sgd", {{"lr", options_.lr},
                                  {"momentum", options_.momentum},
                                  {"nesterov", options_.nesterov},
                                  {"weight_decay", options_.weight_decay}});
}

std::shared_ptr<Optimizer> SGD::recipe() const { return std::make_shared<SGD>(options_); }

RMSprop::RMSprop(RMSpropOptions options) : Optimizer(options.lr), options_(options) {
  check_share("RMSprop", "alpha", options.alpha);
  check_share("RMSprop", "momentum", options.momentum);
  check_not_negative("RMSprop", "epsilon", options.epsilon);
  check_not_negative("RMSprop", "weight_decay", options.weight_decay);
}

RMSprop::RMSprop(const ParameterList& parameters, RMSpropOptions options) : RMSprop(options) {
  bind(parameters);
}

std::vector<std::string> RMSprop::slots() const {
  return options_.momentum == 0 ? std::vector<std::string>{"s"} : std::vector<std::string>{"s", "v"};
}

void RMSprop::update(const Tensor& p, const Tensor& g, const Tensors& slots, const Scalars& scalars) {
  Tensors inputs{p};
  inputs.insert(inputs.end(), slots.begin(), slots.end());
  inputs.insert(inputs.end(), {g, scalars.lr});
  if (scalars.unscale.defined()) inputs.push_back(scalars.unscale);
  apply_op(std::make_shared<const RmspropOp>(
               RmspropRule{options_.alpha, options_.epsilon, options_.momentum, options_.weight_decay}),
           inputs);
}

std::string RMSprop::describe() const {
  return describe_options("rmsprop", {{"lr", options_.lr},
                                      {"alpha", options_.alpha},
                                      {"epsilon", options_.epsilon},
                                      {"momentum", options_.momentum},
                                      {"weight_decay", options_.weight_decay}});
}

std::shared_ptr<Optimizer> RMSprop::recipe() const { return std::make_shared<RMSprop>(options_); }

Adam::Adam(AdamOptions options) : Optimizer(options.lr), options_(options) {
  check_share("Adam", "beta1", options.beta1);
  check_share("Adam", "beta2", options.beta2);
  check_not_negative("Adam", "epsilon", options.epsilon);
  check_not_negative("Adam", "weight_decay", options.weight_decay);
}

Adam::Adam(const ParameterList& parameters, AdamOptions options) : Adam(options) { bind(parameters); }

std::vector<std::string> Adam::slots() const { return {"m", "v"}; }

void Adam::update(const Tensor& p, const Tensor& g, const Tensors& slots, const Scalars& scalars) {
  Tensors inputs{p, slots[0], slots[1], g, scalars.lr, scalars.step};
  if (scalars.unscale.defined()) inputs.push_back(scalars.unscale);
  apply_op(std::make_shared<const AdamOp>(AdamRule{options_.beta1, options_.beta2, options_.epsilon,
                                                   options_.weight_decay, decoupled()}),
           inputs);
}

std::string Adam::describe() const {
  return describe_options(kind(), {{"lr", options_.lr},
                                   {"beta1", options_.beta1},
                                   {"beta2", options_.beta2},
                                   {"epsilon", options_.epsilon},
                                   {"weight_decay", options_.weight_decay}});
}

std::shared_ptr<Optimizer> Adam::recipe() const { return std::make_shared<Adam>(options_); }

AdamW::AdamW(AdamWOptions o)
    : Adam({.lr = o.lr,
            .beta1 = o.beta1,
            .beta2 = o.beta2,
            .epsilon = o.epsilon,
            .weight_decay = o.weight_decay}) {}

AdamW::AdamW(const ParameterList& parameters, AdamWOptions options) : AdamW(options) { bind(parameters); }

std::shared_ptr<Optimizer> AdamW::recipe() const {
  const AdamOptions& o = options_;
  return std::make_shared<AdamW>(AdamWOptions{
      .lr = o.lr, .beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon, .weight_decay = o.weight_decay});
}

}  // namespace uncial::optim
