#pragma once
/// @file compile.h
/// Recording a step once and replaying it.

#include <functional>
#include <memory>
#include <string>

#include "uncial/program/program.h"

namespace uncial {

/// A function of tensors: a whole training step (forward, backward, update) or an inference.
using StepFunction = std::function<Tensors(const Tensors& inputs)>;

/// A step that records itself at its first call with given dtypes and shapes, and is replayed from then on;
/// the first call is a replay already: recording writes operators down without running them.
///
/// Numbers that change from step to step must come in as inputs or live in tensors that the host overwrites
/// (learning rate, epoch): everything else the function reads is frozen at recording. A function that looks
/// at values on the host (item(), data()), changes an input in place, or leaves gradients for the next step
/// to add to cannot be replayed; it then runs eagerly each time, and the log says why. Inside another
/// recording a Compiled runs its function, whose operators become part of that recording.
class Compiled {
 public:
  explicit Compiled(StepFunction function, program::PlanOptions options = {});
  Compiled(Compiled&&) noexcept;
  Compiled& operator=(Compiled&&) noexcept;
  ~Compiled();

  /// Runs the step. The returned tensors, cut off from the tape, are overwritten by the next call with the
  /// same shapes: clone() what must be kept. Calls from several threads wait for each other.
  Tensors operator()(const Tensors& inputs);

  /// The same `times` (>= 1) times in a row with the same inputs, and the results of the last: for steps that
  /// read from memory what changes. A GPU is given several of them at once.
  Tensors repeat(const Tensors& inputs, int64_t times);

  /// The program that the last call recorded or replayed; nullptr when it ran eagerly.
  const program::Program* program() const;
  /// Why the last call ran eagerly; empty when it did not.
  const std::string& reason() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Makes a Compiled: `auto step = compile([&](const Tensors& in) { ...; return Tensors{loss}; });`
inline Compiled compile(StepFunction function, program::PlanOptions options = {}) {
  return Compiled(std::move(function), options);
}

}  // namespace uncial
