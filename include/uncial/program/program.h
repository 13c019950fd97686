#pragma once
/// @file program.h
/// A recorded computation: operators, the values they read and write, and a plan of where those lie in
/// memory.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "uncial/autograd/op.h"
#include "uncial/autograd/origin.h"
#include "uncial/core/precision.h"

namespace uncial::program {

/// Where the bytes of a buffer come from.
enum class Role {
  input,      ///< handed in at each replay
  external,   ///< a tensor that existed before: parameters, optimiser state, constants
  temporary,  ///< lives in the arena between its first and last use
  result,     ///< made by the program and seen outside of it: returned, or kept by somebody (a parameter's
              ///< grad())
};

struct Buffer {
  Role role = Role::temporary;
  int64_t bytes = 0;
  int first_step = 0, last_step = 0;     ///< first write and last use, as recorded
  int first_stage = 0, last_stage = -1;  ///< the same among what runs; last < first: nothing needs its memory
  int64_t arena_offset = 0;              ///< temporaries only
  int input = -1;                        ///< which input it is
  std::shared_ptr<Storage> storage;      ///< externals and results
};

/// A window on a buffer.
struct Value {
  int buffer = 0;
  DType dtype = DType::float32;
  Shape shape;
  Strides strides;
  int64_t offset = 0;  ///< elements
  Device device;
  Spec spec() const { return {dtype, shape, device}; }
};

struct Step {
  std::shared_ptr<const Op> op;
  std::vector<int> inputs, outputs;  ///< value numbers
  bool is_view = false;              ///< nothing runs: the output is a window on the input's buffer
  Origin origin;                     ///< the layer that applied it
};

/// What the planner may do.
struct PlanOptions {
  /// Fuse steps and run them with the batch in the lanes of vectors, depth first; false runs each operator as
  /// recorded, with the bits of eager execution.
  bool fuse = true;
  /// What contexts that the step makes start with, those of `net(x)` among them; a Context from outside keeps
  /// its own.
  Precision precision = default_precision();
};

struct Schedule;

/// Steps in the order in which they were recorded. Readers (summary, profiler, exporters) look at `steps`,
/// `values` and `buffers`; replay() runs them.
class Program {
 public:
  Program(std::vector<Buffer> buffers, std::vector<Value> values, std::vector<Step> steps,
          std::vector<int> inputs, std::vector<int> outputs, const PlanOptions& options = {});
  ~Program();

  const std::vector<Buffer>& buffers() const { return buffers_; }
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }
  /// Where all of its values lie.
  Device device() const { return values_.empty() ? Device::cpu() : values_[0].device; }

  /// Memory of all temporaries together, after planning.
  int64_t arena_bytes() const;
  /// What they would take without sharing memory.
  int64_t unplanned_bytes() const;
  Cost cost() const;
  /// Of one step.
  Cost cost(const Step& step) const;
  /// Names of what runs, one after the other: operators, or several of them fused.
  std::vector<std::string> stages() const;
  /// A table of the steps (operator and shapes), what runs for them, and the size of the arena.
  std::string describe() const;

  /// Runs every step, so many times. `inputs` are row-major tensors whose specs equal the recorded ones. Not
  /// to be called from two threads at once. Allocates nothing.
  void replay(std::span<const Tensor> inputs, int64_t times = 1);

 private:
  void replay_probed();

  std::vector<Buffer> buffers_;
  std::vector<Value> values_;
  std::vector<Step> steps_;
  std::vector<int> inputs_, outputs_;
  std::unique_ptr<Schedule> schedule_;
};

}  // namespace uncial::program
