#include "uncial/program/compile.h"

#include <mutex>
#include <utility>

#include "core/tensor_impl.h"
#include "recorder.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/log.h"

namespace uncial {
namespace {

/// While alive, host accesses on this thread are told to the recorder.
class HookScope {
 public:
  HookScope()
      : previous_(exchange_host_access_hook([](const Tensor& x, std::string_view how) {
          if (Recorder* r = current_recorder()) r->on_host_access(x, how);
        })) {}
  ~HookScope() { exchange_host_access_hook(previous_); }
  HookScope(const HookScope&) = delete;
  HookScope& operator=(const HookScope&) = delete;

 private:
  HostAccessHook previous_;
};

bool same_specs(const Specs& specs, const Tensors& inputs) {
  if (specs.size() != inputs.size()) return false;
  for (size_t i = 0; i < specs.size(); ++i)
    if (specs[i].dtype != inputs[i].dtype() || specs[i].shape != inputs[i].shape()) return false;
  return true;
}

/// One recording: what it was recorded for, and the program, or why there is none.
struct Recording {
  Specs specs;
  std::unique_ptr<program::Program> program;
  std::string reason;
  Tensors outputs;
};

}  // namespace

struct Compiled::State {
  StepFunction function;
  program::PlanOptions options;
  std::mutex mutex;
  std::vector<std::unique_ptr<Recording>> recordings;
  const Recording* last = nullptr;

  Recording* find(const Tensors& inputs) {
    for (auto& r : recordings)
      if (same_specs(r->specs, inputs)) return r.get();
    return nullptr;
  }

  Tensors run_eagerly(const Tensors& inputs, int64_t times = 1) {
    const PrecisionScope precision(options.precision);
    Tensors outputs;
    for (; times > 0; --times) outputs = function(inputs);
    for (Tensor& y : outputs) y = y.detach();
    return outputs;
  }

  /// Records the function and runs it once.
  Tensors record(const Tensors& inputs) {
    auto recording = std::make_unique<Recording>();
    Tensors placeholders;  // memory of their own: an input must not be confused with a tensor that the step
                           // captured
    for (const Tensor& x : inputs) {
      recording->specs.push_back(x.spec());
      placeholders.push_back(x.detach().clone());
    }
    program::ProgramRecorder recorder(placeholders);
    {
      const HookScope hook;
      const RecorderScope scope(&recorder);
      recording->outputs = run_eagerly(placeholders);
      for (Tensor& y :
           recording->outputs)  // a result needs memory of its own: inputs differ from call to call
        if (recorder.is_input(y)) y = y.clone();
      recording->reason = recorder.refusal();
    }
    if (recording->reason.empty()) {
      recording->program = recorder.finish(recording->outputs, options);
      log(LogLevel::trace, join("compile: recorded ", recording->program->steps().size(), " steps, arena ",
                                recording->program->arena_bytes(), " bytes"));
      recording->program->replay(inputs);
    } else {
      log(LogLevel::info, join("compile: runs eagerly, because ", recording->reason));
    }
    last = recording.get();
    Tensors outputs = recording->outputs;
    if (!recording->program) recording->outputs.clear();
    recordings.push_back(std::move(recording));
    return outputs;
  }
};

Compiled::Compiled(StepFunction function, program::PlanOptions options) : state_(std::make_unique<State>()) {
  state_->function = std::move(function);
  state_->options = options;
}
Compiled::Compiled(Compiled&&) noexcept = default;
Compiled& Compiled::operator=(Compiled&&) noexcept = default;
Compiled::~Compiled() = default;

Tensors Compiled::operator()(const Tensors& inputs) { return repeat(inputs, 1); }

Tensors Compiled::repeat(const Tensors& inputs, int64_t times) {
  require(times >= 1, "compile: a step is repeated at least once, got ", times, " times.");
  Tensors contiguous;
  for (const Tensor& x : inputs) {
    require(!x.requires_grad(), "compile: an input wants a gradient; let the step capture it instead.");
    contiguous.push_back(x.contiguous());
  }
  // Inside another recording the operators belong to that one.
  if (current_recorder()) return state_->run_eagerly(contiguous, times);
  const std::lock_guard lock(state_->mutex);
  Recording* recording = state_->find(contiguous);
  if (!recording) {
    Tensors outputs = state_->record(contiguous);
    if (--times == 0) return outputs;
    recording = state_->find(contiguous);
  }
  state_->last = recording;
  if (!recording->program) return state_->run_eagerly(contiguous, times);
  recording->program->replay(contiguous, times);
  return recording->outputs;
}

const program::Program* Compiled::program() const {
  return state_->last ? state_->last->program.get() : nullptr;
}

const std::string& Compiled::reason() const {
  static const std::string none;
  return state_->last ? state_->last->reason : none;
}

}  // namespace uncial
