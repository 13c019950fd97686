#pragma once
/// @file walk.h
/// Visiting all tensors of a module tree, and start values. Internal.

#include <functional>
#include <string>

#include "uncial/nn/module.h"

namespace uncial::nn {

/// A parameter (learned) or buffer of a module tree.
struct Field {
  const std::string& path;   ///< "2.weight"
  Tensor& tensor;            ///< the module's own handle
  const Initializer* start;  ///< null for buffers
  double value;              ///< what a buffer starts with
  bool learned() const { return start != nullptr; }
};

/// Calls `call` for every parameter and buffer of `module` in visiting order. `prefix` comes before all
/// paths.
void for_each_field(Module& module, const std::function<void(const Field&)>& call,
                    const std::string& prefix = "");

/// True when both are handles on one and the same tensor (not merely on the same memory).
bool same_tensor(const Tensor& a, const Tensor& b);

/// initialize_untouched() for a module whose paths begin with `prefix`.
void initialize_untouched(Module& module, const std::string& prefix);

/// While alive, modules made on this thread get no start values: whoever makes a whole tree gives them once
/// at the end instead of once for each level.
class DeferInitialization {
 public:
  DeferInitialization();
  ~DeferInitialization();
  DeferInitialization(const DeferInitialization&) = delete;
  DeferInitialization& operator=(const DeferInitialization&) = delete;

 private:
  bool previous_;
};

/// Copies `given` into the tensors of `have`, which it must match name by name, shape by shape and dtype by
/// dtype. Throws Error(data) that begins with `what` and lists all differences; nothing is changed then.
void load_named(std::string_view what, const NamedTensors& have, const NamedTensors& given);

}  // namespace uncial::nn
