#pragma once
/// The parts of the room nn, a file each.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include "uncial/nn/module.h"

namespace uncial::python {

void bind_module(nanobind::module_& m);
void bind_layers_of_nn(nanobind::module_& m);
void bind_summary(nanobind::module_& m);

}  // namespace uncial::python
