#pragma once
/// @file update_ops.h
/// The operators of optimisers. They overwrite their first inputs in place and have no outputs, so that a
/// recorded step replays them. Internal.

#include "uncial/autograd/op.h"
#include "uncial/kernels/optim.h"

namespace uncial::optim {

/// Inputs: `written` tensors that are overwritten, all of the spec of the first, then the gradient of that
/// spec, then scalars that are read when the operator runs, the last of which may be `unscale`
/// (kernels/optim.h).
struct UpdateOp : Op {
  UpdateOp(int written, double flops_per_value) : written(written), flops_per_value(flops_per_value) {}
  Specs infer(std::span<const Spec> in) const override;
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return (1u << written) - 1; }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override;
  void run(const Call& c) const final { run_all({&c, 1}); }
  /// Updates by one rule join.
  bool joins(const Op& next) const final;
  void run_all(std::span<const Call> calls) const final;

  int written;
  double flops_per_value;

 private:
  /// The calls have the same scalars and are of one dtype.
  virtual void run_together(std::span<const Call> calls) const = 0;
};

/// Inputs: p, [v], g, lr, [unscale].
struct SgdOp : UpdateOp {
  explicit SgdOp(SgdRule rule) : UpdateOp(rule.momentum == 0 ? 1 : 2, 6), rule(rule) {}
  std::string_view name() const override { return "sgd_update"; }
  std::vector<Attribute> attributes() const override;
  SgdRule rule;

 private:
  void run_together(std::span<const Call> calls) const override;
};

/// Inputs: p, s, [v], g, lr, [unscale].
struct RmspropOp : UpdateOp {
  explicit RmspropOp(RmspropRule rule) : UpdateOp(rule.momentum == 0 ? 2 : 3, 11), rule(rule) {}
  std::string_view name() const override { return "rmsprop_update"; }
  std::vector<Attribute> attributes() const override;
  RmspropRule rule;

 private:
  void run_together(std::span<const Call> calls) const override;
};

/// Inputs: p, m, v, g, lr, step, [unscale].
struct AdamOp : UpdateOp {
  explicit AdamOp(AdamRule rule) : UpdateOp(3, 15), rule(rule) {}
  std::string_view name() const override { return "adam_update"; }
  std::vector<Attribute> attributes() const override;
  AdamRule rule;

 private:
  void run_together(std::span<const Call> calls) const override;
};

/// Inputs: average, x (in the place of the gradient), step.
struct AverageOp : UpdateOp {
  explicit AverageOp(double decay) : UpdateOp(1, 3), decay(decay) {}
  std::string_view name() const override { return "average_update"; }
  std::vector<Attribute> attributes() const override { return {{"decay", decay}}; }
  double decay;

 private:
  void run_together(std::span<const Call> calls) const override;
};

/// Adds 1 to an int64 scalar, in place; not when `unscale` is given and 0.
void advance(const Tensor& counter, const Tensor& unscale = Tensor());

}  // namespace uncial::optim
