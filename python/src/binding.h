#pragma once
/// What every file of the binding needs: nanobind, the rooms, and the names that are used everywhere.

#include <nanobind/nanobind.h>

#include "arrays.h"
#include "uncial/core/tensor.h"

namespace uncial::python {

namespace nb = nanobind;
using namespace nb::literals;

/// For functions that compute: other Python threads run meanwhile.
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

// A function a room; each adds its part to the module. The order in module.cpp is that of the rooms, as a
// class has to be known before it is a base or a default value.
void bind_errors(nb::module_& m);
void bind_tensor(nb::module_& m);
void bind_operators(nb::module_& m);
void bind_functions(nb::module_& m);
void bind_program(nb::module_& m);
void bind_machine(nb::module_& m);
void bind_nn(nb::module_& m);
void bind_optim(nb::module_& m);
void bind_data(nb::module_& m);
void bind_vision(nb::module_& m);
void bind_train(nb::module_& m);
void bind_files(nb::module_& m);
void bind_figures(nb::module_& m);

}  // namespace uncial::python
