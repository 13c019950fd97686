#pragma once
/// @file recorder.h
/// Turns the operators that a thread executes into a Program. Internal.

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "uncial/program/program.h"

namespace uncial::program {

class ProgramRecorder final : public Recorder {
 public:
  explicit ProgramRecorder(const Tensors& inputs);

  void on_op(const std::shared_ptr<const Op>& op, const Tensors& inputs, const Tensors& outputs) override;
  bool defers() const override { return refusal_.empty(); }
  void on_host_access(const Tensor& x, std::string_view how) override;
  void on_grad(const void* leaf, GradEvent event, const Tensor& previous) override;
  /// From now on operators run at once; those written down so far run now.
  void refuse(const std::string& reason) override;
  long holds(const Tensor& x) const override { return known_.count(x.storage().get()) ? 1 : 0; }

  /// True when x lies in memory of an input.
  bool is_input(const Tensor& x) const;
  /// Why the computation cannot be replayed; empty when it can. Ask when the recorded function is done; with
  /// a refusal everything has run by then.
  const std::string& refusal();
  /// The program; call once, when everything that the recorded function held is gone except `outputs`.
  /// Nothing has run yet: the first replay does it.
  std::unique_ptr<Program> finish(const Tensors& outputs, const PlanOptions& options);

 private:
  int buffer_of(const Tensor& x, Role role_if_new);
  int value_of(const Tensor& x, Role role_if_new);
  void run_deferred();
  /// Refuses once the operator that is being told of is among those that refuse() runs.
  void object(const std::string& reason);

  std::vector<Buffer> buffers_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<int> inputs_;
  std::unordered_map<const Storage*, int> known_;
  std::unordered_set<int> written_;          // buffers that an operator changed in place
  std::unordered_set<const void*> reset_;    // leaves whose grad() the step itself has reset
  std::unordered_set<const void*> arrived_;  // leaves that hold a gradient which a replay would not add to
  std::string refusal_, objection_;
};

}  // namespace uncial::program
