#pragma once
/// @file graph.h
/// Who makes and who reads each buffer of a recorded program. Internal.

#include <string_view>
#include <vector>

#include "uncial/core/precision.h"
#include "uncial/program/program.h"

namespace uncial::program {

class Graph {
 public:
  explicit Graph(const Program& program);

  const Program& program() const { return *program_; }
  const Step& step(int s) const { return program_->steps()[size_t(s)]; }
  const Value& value(int v) const { return program_->values()[size_t(v)]; }
  const Buffer& buffer(int b) const { return program_->buffers()[size_t(b)]; }
  int steps() const { return int(program_->steps().size()); }
  bool is(int s, std::string_view name) const { return step(s).op->name() == name; }
  /// What a step rounds factors to; float32 when it is no rounding.
  Precision rounds_to(int s) const {
    return is(s, "round_bfloat16")  ? Precision::bf16
           : is(s, "round_float16") ? Precision::fp16
                                    : Precision::float32;
  }
  bool is_rounding(int s) const { return rounds_to(s) != Precision::float32; }

  int in(int s, size_t i) const { return step(s).inputs[i]; }
  int out(int s, size_t i = 0) const { return step(s).outputs[i]; }
  /// Buffer behind input or output i of step s.
  int in_buffer(int s, size_t i) const { return value(in(s, i)).buffer; }
  int out_buffer(int s, size_t i = 0) const { return value(out(s, i)).buffer; }

  /// The step that makes a buffer; -1 for inputs and externals.
  int writer(int b) const { return writers_[size_t(b)]; }
  /// Steps that read a buffer, views left out, in order.
  const std::vector<int>& readers(int b) const { return readers_[size_t(b)]; }
  /// True when nobody outside of the program sees the buffer.
  bool temporary(int b) const { return buffer(b).role == Role::temporary && !returned_[size_t(b)]; }
  /// The ReLU that is the only reader of a value, all of it, which nobody else sees; -1 when there is none.
  int only_relu(int v) const;
  /// True when the value is its whole buffer in row-major order.
  bool whole(int v) const;

 private:
  const Program* program_;
  std::vector<int> writers_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> returned_;
};

/// An attribute of an operator; throws InternalError where it has none of that name and type.
template <class T>
T attribute(const Op& op, std::string_view name) {
  for (const Attribute& a : op.attributes())
    if (a.name == name)
      if (const T* value = std::get_if<T>(&a.value)) return *value;
  ensure(false, op.name(), " has no attribute ", name);
  return T();
}

}  // namespace uncial::program
