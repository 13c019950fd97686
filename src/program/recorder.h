#pragma once
/// @file recorder.h
/// Turns the operators that a thread executes into a Program. Internal.

#include <memory>
#include <string>
#include <unordered_map>

#include "uncial/program/program.h"

namespace uncial::program {

class ProgramRecorder final : public Recorder {
 public:
  explicit ProgramRecorder(const Tensors& inputs);

  void on_op(const std::shared_ptr<const Op>& op, const Tensors& inputs, const Tensors& outputs) override;
  void on_host_access(const Tensor& x, std::string_view how) override;

  /// Why the computation cannot be replayed; empty when it can.
  const std::string& refusal() const { return refusal_; }
  /// The program; call once, when everything that the recorded function held is gone except `outputs`.
  std::unique_ptr<Program> finish(const Tensors& outputs);

 private:
  int buffer_of(const Tensor& x, Role role_if_new);
  int value_of(const Tensor& x, Role role_if_new);

  std::vector<Buffer> buffers_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<int> inputs_;
  std::unordered_map<const Storage*, int> known_;
  std::string refusal_;
};

}  // namespace uncial::program
