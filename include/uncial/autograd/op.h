#pragma once
/// @file op.h
/// The one record an operator is: shape rule, forward, gradient rule, cost. Eager execution runs it and
/// appends it to the tape; uncial::compile runs it and appends it to a program, which replays it. Both
/// differentiate by the same rule, because the rule is itself written with operators.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial {

using Specs = std::vector<Spec>;

/// What an operator's mathematics needs, whatever a kernel really does.
struct Cost {
  double flops = 0;  ///< additions and multiplications; a multiply-add counts 2
  double bytes = 0;  ///< operands read once and results written once
};

/// Everything `Op::run` receives: windows on inputs, outputs and scratch memory. Inputs are row-major
/// unless the operator takes_strides().
struct Call {
  std::span<const View> in;
  std::span<const View> out;
  void* workspace = nullptr;  ///< Op::workspace_bytes() bytes, 64-byte aligned
  Device device() const { return out.empty() ? in[0].device : out[0].device; }
};

/// Which tensors the gradient rule will ask for; those are kept alive and guarded against in-place changes.
struct Saves {
  uint32_t inputs = ~0u;  ///< bit i: input i
  uint32_t outputs = 0;   ///< bit i: output i
};

/// What a gradient rule sees.
class Backward {
 public:
  Backward(Tensors dy, Tensors inputs, Tensors outputs, std::vector<bool> needed, Specs specs)
      : dy_(std::move(dy)),
        inputs_(std::move(inputs)),
        outputs_(std::move(outputs)),
        needed_(std::move(needed)),
        specs_(std::move(specs)) {}
  /// Gradient of output i; zeros when nothing flowed into it.
  const Tensor& dy(size_t i = 0) const { return dy_[i]; }
  /// Saved input i (undefined unless Saves names it).
  const Tensor& in(size_t i) const { return inputs_[i]; }
  const Tensor& out(size_t i = 0) const { return outputs_[i]; }
  /// False when nobody needs the gradient of input i: leave it undefined then.
  bool needs(size_t i) const { return needed_[i]; }
  /// dtype and shape of input i, known even when it was not saved.
  const Spec& spec(size_t i) const { return specs_[i]; }
  size_t inputs() const { return needed_.size(); }

 private:
  Tensors dy_, inputs_, outputs_;
  std::vector<bool> needed_;
  Specs specs_;
};

/// Attributes of an operator by name, for exporters, summaries and messages.
using AttributeValue = std::variant<int64_t, double, bool, std::string, Extents>;
struct Attribute {
  std::string name;
  AttributeValue value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

/// One operator with its attributes. Immutable, so one record may run on many threads at once.
class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;

  /// Shape rule: the specs of the outputs. Pure; throws a usage Error that names the operator.
  virtual Specs infer(std::span<const Spec> in) const = 0;
  /// Computes the outputs into memory that is already right. Beside InternalError and device trouble it may
  /// throw a usage Error for what only the data can tell: an index or label out of range.
  virtual void run(const Call& call) const = 0;
  /// Gradients of the inputs (undefined ones carry none), written with differentiable operators.
  /// The default throws a usage Error: "not differentiable".
  virtual Tensors gradient(const Backward& b) const;
  /// False when gradients never flow to input i (labels, indices).
  virtual bool differentiable(size_t /*input*/) const { return true; }
  virtual Saves saves() const { return {}; }
  /// True when run() copes with any strides; others get row-major copies of strided inputs.
  virtual bool takes_strides() const { return false; }
  /// Bit i: run() overwrites input i in place (optimisers, running statistics).
  virtual uint32_t writes_inputs() const { return 0; }
  bool writes(size_t input) const { return input < 32 && (writes_inputs() >> input & 1); }
  /// True when element i of each output depends on nothing but elements i of the inputs (and on inputs of one
  /// element): such an operator runs in any layout.
  virtual bool pointwise() const { return false; }
  /// True when `next`, which follows in a recorded step and works on other memory, may be run by run_all(),
  /// too.
  virtual bool joins(const Op& /*next*/) const { return false; }
  /// The calls of this operator and of others that it joins: on a GPU one launch is cheaper than many.
  virtual void run_all(std::span<const Call> calls) const {
    for (const Call& call : calls) run(call);
  }
  virtual int64_t workspace_bytes(std::span<const Spec> /*in*/) const { return 0; }
  /// The default counts bytes only.
  virtual Cost cost(std::span<const Spec> in, std::span<const Spec> out) const;
  virtual std::vector<Attribute> attributes() const { return {}; }
};

/// An operator whose output is another window on its input's memory: nothing runs.
class ViewOp : public Op {
 public:
  struct Window {
    Shape shape;
    Strides strides;
    int64_t offset = 0;  ///< in elements, relative to the input's first
  };
  /// Where the output lies in the input's memory.
  virtual Window window(const Shape& shape, const Strides& strides) const = 0;
  Specs infer(std::span<const Spec> in) const override;
  void run(const Call&) const override {}
  bool takes_strides() const override { return true; }
  Saves saves() const override { return {.inputs = 0}; }
  Cost cost(std::span<const Spec>, std::span<const Spec>) const override { return {}; }
};

/// Runs `op` on `inputs`, and appends it to the tape when an input wants a gradient and to the recorder when
/// this thread records.
Tensors apply_op(std::shared_ptr<const Op> op, Tensors inputs);

/// Computes `op` into outputs that are there, with scratch memory of its own: nothing is recorded.
void run_now(const Op& op, std::span<const Spec> specs, std::span<const View> in, std::span<const View> out);

/// apply_op() for operators with one output.
Tensor apply1(std::shared_ptr<const Op> op, Tensors inputs);

/// Makes the record and applies it: `op<SoftmaxOp>({x}, axis)`.
template <class T, class... Arguments>
Tensor op(Tensors inputs, Arguments&&... arguments) {
  return apply1(std::make_shared<const T>(std::forward<Arguments>(arguments)...), std::move(inputs));
}

/// Watches the operators that this thread executes (program/ implements it).
class Recorder {
 public:
  virtual ~Recorder() = default;
  /// An operator was applied. When defers(), it has not run: the outputs are memory without content.
  virtual void on_op(const std::shared_ptr<const Op>& op, const Tensors& inputs, const Tensors& outputs) = 0;
  /// True while operators are only to be written down; the recorder runs them later.
  virtual bool defers() const { return false; }
  /// The host read or wrote elements of `x` outside any operator: a recording cannot replay that.
  virtual void on_host_access(const Tensor& /*x*/, std::string_view /*how*/) {}
  /// What happens to a leaf's grad() outside of operators.
  enum class GradEvent {
    reset,    ///< set to something, or forgotten
    arrived,  ///< a gradient came into an empty grad()
    added,    ///< a gradient was added to `previous`
  };
  virtual void on_grad(const void* /*leaf*/, GradEvent /*event*/, const Tensor& /*previous*/) {}
  /// The computation must not be replayed.
  virtual void refuse(const std::string& /*reason*/) {}
  /// Holders of x's memory that recording adds.
  virtual long holds(const Tensor& /*x*/) const { return 0; }
};
Recorder* current_recorder();
/// Installs a recorder on this thread for the lifetime of the guard.
class RecorderScope {
 public:
  explicit RecorderScope(Recorder* recorder);
  ~RecorderScope();
  RecorderScope(const RecorderScope&) = delete;
  RecorderScope& operator=(const RecorderScope&) = delete;

 private:
  Recorder* previous_;
};

}  // namespace uncial
