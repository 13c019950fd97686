#pragma once
/// @file module.h
/// What networks are made of.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "uncial/autograd/op.h"
#include "uncial/core/random.h"
#include "uncial/nn/context.h"
#include "uncial/nn/init.h"

namespace uncial::nn {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Receives the members of a module: what it learns, what it only remembers, and what it contains.
class Fields {
 public:
  virtual ~Fields() = default;
  /// A learned tensor and how it starts.
  virtual void parameter(std::string_view name, Tensor& tensor, const Initializer& start) = 0;
  /// A tensor that is saved but not learned (running statistics), and its first value.
  virtual void buffer(std::string_view name, Tensor& tensor, double start) = 0;
  virtual void child(std::string_view name, Module& module) = 0;
};

/// Options of Module::initialize().
struct InitializeOptions {
  uint64_t seed = 0;
};

/// A function of a tensor with parameters. Copying a module shares its parameters; clone() does not.
///
/// A module made by its constructor has start values already (seed 0); a container gives its children values
/// keyed by their path in it, unless they were trained or loaded before.
class Module {
 public:
  virtual ~Module() = default;

  /// The function. const and free of hidden state, so it may run on several threads, each with its own
  /// Context.
  virtual Tensor forward(const Tensor& x, Context& context) const = 0;
  /// forward() with a context of the mode that train() / eval() chose; applies updates of running statistics.
  Tensor operator()(const Tensor& x) const;

  /// "conv2d", "sequential", ...: the name in network descriptions.
  virtual std::string_view kind() const = 0;
  /// What the constructor was told, by name.
  virtual std::vector<Attribute> attributes() const { return {}; }
  /// Hands every parameter, buffer and child to `fields`. Containers and layers implement this; the rest
  /// follows.
  virtual void visit(Fields&) {}
  /// A copy that shares parameters.
  virtual std::shared_ptr<Module> copy() const = 0;

  /// Parameters in visiting order, by path ("0.weight"). The tensors alias the module's.
  NamedTensors named_parameters() const;
  NamedTensors named_buffers() const;
  /// Parameters in visiting order; one that several places share comes once.
  Tensors parameters() const;
  /// Number of learned values; shared ones count once.
  int64_t parameter_count() const;
  /// Parameters and buffers by path.
  NamedTensors state_dict() const;
  /// Copies values in. Throws Error(data) with all differences (missing, extra, wrong shape or dtype) in one
  /// message and changes nothing then.
  void load_state_dict(const NamedTensors& state);

  /// Start values for every parameter and buffer: a pure function of (seed, path).
  Module& initialize(const InitializeOptions& options);
  /// A copy with parameters of its own, without gradients; what was shared inside stays shared.
  std::shared_ptr<Module> clone() const;
  /// Moves or converts parameters and buffers. The module gets new tensors then: modules that shared the old
  /// ones keep those, and an optimiser must be bound after the move, not before.
  Module& to(Device device);
  /// The same; integer buffers stay as they are. Throws a usage Error for a dtype that is not floating.
  Module& to(DType dtype);

  /// Where its first parameter or buffer lies, and so where inputs must; the host when it has none.
  Device device() const;

  /// Chooses the mode of operator() for this module and everything in it.
  Module& train(bool on = true);
  Module& eval() { return train(false); }
  bool training() const { return training_; }

 private:
  bool training_ = true;
};

/// Gives start values (seed 0) to the parameters and buffers of `module` that were never changed in place
/// since they were made: what the constructors of layers and containers call.
void initialize_untouched(Module& module);

}  // namespace uncial::nn
