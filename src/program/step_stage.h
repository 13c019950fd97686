#pragma once
/// @file step_stage.h
/// One recorded operator, run as it was recorded. Internal.

#include "graph.h"
#include "stage.h"

namespace uncial::program {

class StepStage final : public Stage {
 public:
  StepStage(const Graph& graph, int step)
      : op_(graph.step(step).op), inputs_(graph.step(step).inputs), outputs_(graph.step(step).outputs) {
    steps_ = {step};
    values_ = inputs_;
    values_.insert(values_.end(), outputs_.begin(), outputs_.end());
    in_.resize(inputs_.size());
    out_.resize(outputs_.size());
  }
  std::string name() const override { return std::string(op_->name()); }
  void run(const Runtime& runtime) override { op_->run(call(runtime)); }
  /// What the operator gets; valid until the next call.
  Call call(const Runtime& runtime) {
    for (size_t i = 0; i < inputs_.size(); ++i) in_[i] = runtime.views[size_t(inputs_[i])];
    for (size_t i = 0; i < outputs_.size(); ++i) out_[i] = runtime.views[size_t(outputs_[i])];
    return {in_, out_, runtime.workspace};
  }

 private:
  std::shared_ptr<const Op> op_;
  std::vector<int> inputs_, outputs_;
  std::vector<View> in_, out_;
};

}  // namespace uncial::program
