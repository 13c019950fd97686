#pragma once
/// Modules whose forward() is written in Python.

#include <nanobind/nanobind.h>

#include <string>

#include "uncial/nn/module.h"

namespace uncial::python {

/// The C++ side of an object of a Python class that derives from uncial.nn.Module. It lies inside that
/// object, and finds parameters and children among the object's attributes whenever it is asked.
class PythonModule : public nn::Module {
 public:
  explicit PythonModule(nanobind::handle self);
  Tensor forward(const Tensor& x, nn::Context& context) const override;
  std::string_view kind() const override { return kind_; }
  void visit(nn::Fields& fields) override;
  std::shared_ptr<nn::Module> copy() const override;

  nanobind::handle self() const { return self_; }
  /// The name of the attribute that holds `child`, "convs.0" within a list; empty when none does.
  std::string name_of(const nn::Module& child) const;

 private:
  nanobind::handle self_;  // owns this
  std::string kind_;       // the class's name
};

/// The pass that a forward() in Python is part of, on this thread.
struct Pass {
  nn::Context& context;
  const PythonModule& module;
};
/// Null outside of such a forward().
Pass* current_pass();

/// module(x), as a part of the current pass if there is one. Takes and leaves the GIL as it is: held.
Tensor call_module(const nn::Module& module, const Tensor& x);

}  // namespace uncial::python
