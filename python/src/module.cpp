// The extension module uncial._uncial: what Python's package is made of. A file a room, as in the library.

#include <nanobind/stl/string_view.h>

#include "binding.h"

namespace {

/// What `import *` takes: all names but those of the rooms, which the package has files of its own for.
nanobind::list public_names(nanobind::module_& m) {
  nanobind::list names;
  for (auto [name, value] : nanobind::cast<nanobind::dict>(m.attr("__dict__")))
    if (nanobind::cast<std::string_view>(name).front() != '_' &&
        !nanobind::isinstance<nanobind::module_>(value))
      names.append(name);
  return names;
}

}  // namespace

NB_MODULE(_uncial, m) {
  using namespace uncial::python;
  // Nets and callbacks that refer to each other in circles end with the process; nobody needs to hear of it.
  nanobind::set_leak_warnings(false);
  m.attr("__version__") = UNCIAL_VERSION;
  bind_errors(m);
  bind_tensor(m);
  bind_operators(m);
  bind_functions(m);
  bind_program(m);
  bind_machine(m);
  bind_nn(m);
  bind_optim(m);
  bind_vision(m);
  bind_data(m);
  bind_train(m);
  bind_files(m);
  bind_figures(m);
  m.attr("__all__") = public_names(m);
}
