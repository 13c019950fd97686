#pragma once
/// @file optimizer.h
/// Optimisers. Made with parameters they are ready to step; made without they are a recipe that fit() binds.
/// Every update is an operator in place, so a recorded step replays it; learning rate and step count live in
/// tensors that the host may overwrite between steps.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::optim {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// The tensors an optimiser takes on: a list of them, never braces around anything else. With plain Tensors
/// here, g++ weighs `Adam({.lr = 1e-3})` as a vector's size too and calls it ambiguous.
class ParameterList {
 public:
  template <std::same_as<Tensors> T>
  ParameterList(const T& tensors) : tensors_(tensors) {}
  ParameterList(std::initializer_list<Tensor> tensors) : tensors_(tensors) {}
  operator const Tensors&() const { return tensors_; }

 private:
  Tensors tensors_;
};

/// What all optimisers share.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// Takes on the parameters, with fresh state. Throws a usage Error unless there is at least one, and each
  /// is a contiguous float32 or float64 leaf that wants a gradient.
  void bind(const Tensors& parameters);
  bool bound() const { return !parameters_.empty(); }
  const Tensors& parameters() const { return parameters_; }

  /// One update from the parameters' grad(); parameters without a gradient stay as they are. With `unscale`
  /// (loss_scale.h), a float32 scalar on their device, gradients are multiplied by it first, and nothing
  /// changes when it is 0. Throws a usage Error for a recipe: it has no parameters.
  void step(const Tensor& unscale = Tensor());
  /// Forgets all gradients.
  void zero_grad();

  double lr() const;
  /// The float64 scalar that holds it, on the parameters' device: operators may overwrite it within a step.
  const Tensor& rate() const { return lr_; }
  /// Also valid for recorded steps: the rate is read when the step runs.
  void set_lr(double lr);
  int64_t steps() const;

  /// "sgd", "adam", ...
  virtual std::string kind() const = 0;
  /// One line with every option, for logs and checkpoints.
  virtual std::string describe() const = 0;
  /// The same recipe, unbound.
  virtual std::shared_ptr<Optimizer> recipe() const = 0;
  /// Everything a resumed run needs, by name ("step", "lr", "0.m", ...). Aliases the optimiser's tensors.
  NamedTensors state() const;
  /// Copies state in. Throws Error(data) when names or shapes differ; nothing is changed then.
  void load_state(const NamedTensors& state);

 protected:
  /// Throws a usage Error unless lr is finite and >= 0.
  explicit Optimizer(double lr);
  /// Names of the state tensors each parameter has ("m", "v").
  virtual std::vector<std::string> slots() const = 0;
  /// What an update reads when it runs.
  struct Scalars {
    const Tensor &lr, &step;
    const Tensor& unscale;  ///< as step() got it; may be undefined
  };
  /// Updates one parameter in place with operators.
  virtual void update(const Tensor& parameter, const Tensor& gradient, const Tensors& slots,
                      const Scalars& scalars) = 0;

 private:
  Tensors parameters_;
  std::vector<Tensors> slots_;
  Tensor lr_, step_;  // float64 scalar, int64 scalar
};

/// Options of SGD.
struct SGDOptions {
  double lr = 0.01;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;  ///< L2: added to the gradient
};
/// v = momentum v + g; p -= lr v (Nesterov: p -= lr (g + momentum v)). PyTorch's form.
/// Source: Sutskever et al., 2013.
class SGD : public Optimizer {
 public:
  explicit SGD(SGDOptions options = {});
  SGD(const ParameterList& parameters, SGDOptions options = {});
  std::string kind() const override { return "sgd"; }
  std::string describe() const override;
  std::shared_ptr<Optimizer> recipe() const override;

 protected:
  std::vector<std::string> slots() const override;
  void update(const Tensor&, const Tensor&, const Tensors&, const Scalars&) override;

 private:
  SGDOptions options_;
};

/// Options of RMSprop.
struct RMSpropOptions {
  double lr = 0.01;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  double weight_decay = 0;
};
/// Source: Tieleman & Hinton, 2012; PyTorch's form (epsilon outside the root).
class RMSprop : public Optimizer {
 public:
  explicit RMSprop(RMSpropOptions options = {});
  RMSprop(const ParameterList& parameters, RMSpropOptions options = {});
  std::string kind() const override { return "rmsprop"; }
  std::string describe() const override;
  std::shared_ptr<Optimizer> recipe() const override;

 protected:
  std::vector<std::string> slots() const override;
  void update(const Tensor&, const Tensor&, const Tensors&, const Scalars&) override;

 private:
  RMSpropOptions options_;
};

/// Options of Adam.
struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< L2: added to the gradient
};
/// Source: Kingma & Ba, 2015, algorithm 1.
class Adam : public Optimizer {
 public:
  explicit Adam(AdamOptions options = {});
  Adam(const ParameterList& parameters, AdamOptions options = {});
  std::string kind() const override { return "adam"; }
  std::string describe() const override;
  std::shared_ptr<Optimizer> recipe() const override;

 protected:
  std::vector<std::string> slots() const override;
  void update(const Tensor&, const Tensor&, const Tensors&, const Scalars&) override;
  AdamOptions options_;

 private:
  /// AdamW: p -= lr * weight_decay * p instead of a decay added to the gradient.
  virtual bool decoupled() const { return false; }
};

/// Options of AdamW; PyTorch's defaults.
struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  ///< p -= lr * weight_decay * p
};
/// Adam with decoupled weight decay. Source: Loshchilov & Hutter, 2019.
class AdamW : public Adam {
 public:
  explicit AdamW(AdamWOptions options = {});
  AdamW(const ParameterList& parameters, AdamWOptions options = {});
  std::string kind() const override { return "adamw"; }
  std::shared_ptr<Optimizer> recipe() const override;

 private:
  bool decoupled() const override { return true; }
};

/// A recipe by value, as fit() takes it: `.optimizer = optim::Adam({.lr = 1e-3})`.
class Recipe {
 public:
  Recipe() : Recipe(Adam()) {}
  template <class O>
  requires std::is_base_of_v<Optimizer, O> Recipe(const O& optimizer) : make_(optimizer.recipe()) {}
  /// A fresh optimiser over `parameters`.
  std::shared_ptr<Optimizer> bind(const Tensors& parameters) const;
  std::string describe() const { return make_->describe(); }
  double lr() const { return make_->lr(); }

 private:
  std::shared_ptr<Optimizer> make_;
};

/// Scales all gradients so that their common L2 norm is at most `max_norm` (> 0); returns the norm before, a
/// scalar float64 tensor. With `unscale` (loss_scale.h) that is the norm of the gradients times it.
/// Source: Pascanu, Mikolov & Bengio, 2013.
Tensor clip_grad_norm(const Tensors& parameters, double max_norm, const Tensor& unscale = Tensor());
/// Limits each gradient element to [-limit, limit].
void clip_grad_value(const Tensors& parameters, double limit);

/// Exponential moving average of weights: average = decay * average + (1 - decay) * weight after each step,
/// with the decay growing as (1 + t) / (10 + t) at the start, where t updates were made before. Evaluate or
/// save the averages in place of the weights. Takes any float tensors, running statistics too.
class AveragedWeights {
 public:
  /// The averages start as copies. Throws a usage Error unless decay is in [0, 1).
  AveragedWeights(const Tensors& parameters, double decay);
  /// One update in place; recordable.
  void update();
  const Tensors& averages() const { return averages_; }
  /// The averages are copies again, in place, as at the start.
  void restart();
  /// Exchanges weights and averages, in place; call again to go back.
  void swap();
  /// As Optimizer::state() and load_state().
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 private:
  Tensors parameters_, averages_;
  Tensor step_;
  double decay_;
};

}  // namespace uncial::optim
