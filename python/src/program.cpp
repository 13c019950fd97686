// compile(): steps that are recorded once and replayed, and what their time goes to.

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "binding.h"
#include "uncial/program/compile.h"
#include "uncial/program/profile.h"

namespace uncial::python {
namespace {

/// A Python function of tensors, recorded. It stays where it was made: the recording calls back into it.
class CompiledFunction {
 public:
  CompiledFunction(nb::object function, program::PlanOptions options)
      : function_(std::move(function)),
        compiled_([this](const Tensors& inputs) { return run(inputs); }, options) {}
  CompiledFunction(const CompiledFunction&) = delete;
  CompiledFunction& operator=(const CompiledFunction&) = delete;

  nb::object call(const nb::args& arguments) {
    Tensors inputs;
    for (nb::handle argument : arguments) inputs.push_back(shared_tensor_of(argument));
    Tensors outputs;
    {
      // Recordings are locked while they run; whoever waits there must not hold the GIL, which run() takes.
      const nb::gil_scoped_release unlocked;
      outputs = compiled_(inputs);
    }
    if (shape_ == Result::nothing) return nb::none();
    if (shape_ == Result::one) return nb::cast(outputs.at(0));
    nb::list all;
    for (const Tensor& y : outputs) all.append(y);
    return nb::tuple(all);
  }

  const Compiled& compiled() const { return compiled_; }
  nb::object function() const { return function_; }

 private:
  enum class Result { nothing, one, several };

  Tensors run(const Tensors& inputs) {
    const nb::gil_scoped_acquire locked;
    nb::list arguments;
    for (const Tensor& x : inputs) arguments.append(x);
    const nb::object answer = function_(*nb::tuple(arguments));
    Tensors outputs;
    if (answer.is_none()) {
      shape_ = Result::nothing;
    } else if (const Tensor* y = as_tensor(answer)) {
      shape_ = Result::one;
      outputs.push_back(*y);
    } else {
      require(nb::isinstance<nb::tuple>(answer) || nb::isinstance<nb::list>(answer),
              "compile: the function returned ", class_name(answer),
              ", expected a Tensor, a tuple of them, or None.");
      shape_ = Result::several;
      for (nb::handle item : answer) outputs.push_back(nb::cast<Tensor>(item));
    }
    return outputs;
  }

  nb::object function_;
  Compiled compiled_;
  Result shape_ = Result::nothing;
};

nb::list stages_of(const CompiledFunction& f) {
  nb::list names;
  if (const program::Program* program = f.compiled().program())
    for (const std::string& name : program->stages()) names.append(name);
  return names;
}

std::string describe(const CompiledFunction& f) {
  if (const program::Program* program = f.compiled().program()) return program->describe();
  return f.compiled().reason().empty() ? "not called yet" : "runs eagerly, because " + f.compiled().reason();
}

/// `with profile() as p:`
class ProfileBlock {
 public:
  void enter() { scope_ = std::make_unique<ProfileScope>(profile_); }
  void exit() { scope_.reset(); }
  const Profile& profile() const { return profile_; }

 private:
  Profile profile_;
  std::unique_ptr<ProfileScope> scope_;
};

}  // namespace

void bind_program(nb::module_& m) {
  nb::class_<CompiledFunction>(m, "CompiledFunction", "A function that compile() made.")
      .def(
          "__init__",
          [](CompiledFunction* self, nb::object function, bool fuse, const std::string& precision) {
            require(PyCallable_Check(function.ptr()) != 0, "compile: expected a function of tensors.");
            new (self)
                CompiledFunction(std::move(function), {.fuse = fuse, .precision = precision_of(precision)});
          },
          "function"_a, nb::kw_only(), "fuse"_a = true, "precision"_a = "float32")
      .def("__call__", &CompiledFunction::call)
      .def_prop_ro(
          "reason", [](const CompiledFunction& f) { return f.compiled().reason(); },
          "Why the last call ran eagerly; empty when it did not.")
      .def_prop_ro("__wrapped__", &CompiledFunction::function)
      .def("stages", stages_of, "Names of what runs, one after the other.")
      .def("describe", describe, "A table of the recorded steps, and the size of their memory.");

  nb::class_<ProfileRow>(m, "ProfileRow")
      .def_ro("layers", &ProfileRow::layers)
      .def_ro("operators", &ProfileRow::operators)
      .def_prop_ro(
          "stage",
          [](const ProfileRow& row) {
            return row.pass == Pass::forward ? "forward" : row.pass == Pass::backward ? "backward" : "update";
          })
      .def_ro("seconds", &ProfileRow::seconds)
      .def_ro("flops", &ProfileRow::flops)
      .def_ro("bytes", &ProfileRow::bytes);
  nb::class_<ProfileBlock>(m, "profile",
                           "`with profile() as p:` measures the recorded steps that this thread runs.")
      .def(nb::init<>())
      .def("__enter__",
           [](nb::object self) {
             nb::cast<ProfileBlock&>(self).enter();
             return self;
           })
      .def("__exit__", [](ProfileBlock& block, const nb::args&) { block.exit(); })
      .def_prop_ro("replays", [](const ProfileBlock& block) { return block.profile().replays(); })
      .def_prop_ro("seconds", [](const ProfileBlock& block) { return block.profile().seconds(); })
      .def("rows", [](const ProfileBlock& block) { return block.profile().rows(); })
      .def(
          "table", [](const ProfileBlock& block, double peak) { return block.profile().table(peak); },
          "peak_flops"_a = 0.0)
      .def("trace_json", [](const ProfileBlock& block) { return block.profile().trace_json(); })
      .def("__str__", [](const ProfileBlock& block) { return block.profile().table(); });
  m.def("measure_peak_flops", measure_peak_flops, "seconds"_a = 0.05, Unlocked());
}

}  // namespace uncial::python
