#pragma once
/// @file loss_scale.h
/// Dynamic loss scaling for training in float16, whose smallest numbers are larger than many gradients.

#include "uncial/optim/optimizer.h"

namespace uncial::optim {

/// Options of LossScale; PyTorch's defaults.
struct LossScaleOptions {
  double start = 65536;     ///< a power of two from 1 to 2^24, so that multiplying by it rounds nothing
  int64_t interval = 2000;  ///< steps with finite gradients after which the factor is doubled
};

/// A factor of the loss, and with it of all gradients. It is halved when a step has gradients that are not
/// finite, and that step changes no parameter; it is doubled after `interval` steps that have none. All of
/// that is done by operators on the device, so a recorded step replays it:
///
///     optim::LossScale scale(net.device());
///     loss.backward(scale.factor());
///     scale.update(adam.parameters());
///     adam.step(scale.unscale());
///
/// At a factor of 1 nothing is skipped: what is not finite then reaches the parameters. Source: Micikevicius
/// et al., "Mixed precision training", 2018, section 3.2.
class LossScale {
 public:
  /// Throws a usage Error for options out of range.
  explicit LossScale(Device device = Device::cpu(), LossScaleOptions options = {});

  /// Float32 scalar, to be the gradient of a float32 loss.
  const Tensor& factor() const { return factor_; }
  /// Float32 scalar for Optimizer::step() and clip_grad_norm(): 1 / factor() of the step that update() last
  /// looked at, or 0 when it must be skipped.
  const Tensor& unscale() const { return unscale_; }
  /// Looks at the gradients of `parameters`, which are as backward() left them, and moves the factor.
  void update(const Tensors& parameters);

  /// Begins anew, as made. A recorded update() serves what follows, too.
  void restart();

  /// Steps that were skipped; waits for a GPU.
  int64_t skipped() const;

  /// As Optimizer::state() and load_state().
  NamedTensors state() const;
  void load_state(const NamedTensors& state);

 private:
  LossScaleOptions options_;
  Tensor factor_, unscale_, counts_;
};

}  // namespace uncial::optim
