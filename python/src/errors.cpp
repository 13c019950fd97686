// The library's Error as Python exceptions, a class for each kind, with the same text.

#include <array>

#include "binding.h"
#include "uncial/core/error.h"

namespace uncial::python {
namespace {

struct Kind {
  ErrorKind kind;
  const char *name, *doc;
  PyObject** also;  ///< the class of Python's own that people catch
};
const std::array kKinds{
    Kind{ErrorKind::usage, "UsageError", "Wrong arguments: shapes, ranges, options.", &PyExc_ValueError},
    Kind{ErrorKind::data, "DataError", "A data set or file whose content is wrong.", &PyExc_ValueError},
    Kind{ErrorKind::io, "FileError", "Reading, writing or the network failed.", &PyExc_OSError},
    Kind{ErrorKind::device, "DeviceError", "No such device, or out of memory on it.", &PyExc_RuntimeError},
    Kind{ErrorKind::diverged, "DivergedError", "Training gave NaN or infinity.", &PyExc_ArithmeticError},
    Kind{ErrorKind::stopped, "StoppedError", "Somebody asked for a stop.", &PyExc_RuntimeError},
    Kind{ErrorKind::internal, "InternalError", "A fault of the library itself: please report it.",
         &PyExc_RuntimeError}};

/// Never freed: exceptions may be raised until the interpreter is gone.
std::array<PyObject*, kKinds.size()> classes{};

PyObject* class_of(ErrorKind kind) {
  for (size_t i = 0; i < kKinds.size(); ++i)
    if (kKinds[i].kind == kind) return classes[i];
  return PyExc_RuntimeError;
}

nb::object new_class(const char* name, const char* doc, nb::handle bases) {
  const std::string path = join("uncial.", name);
  return nb::steal(PyErr_NewExceptionWithDoc(path.c_str(), doc, bases.ptr(), nullptr));
}

}  // namespace

void bind_errors(nb::module_& m) {
  const nb::object base = new_class("Error", "What every function of uncial raises.", PyExc_Exception);
  m.attr("Error") = base;
  for (size_t i = 0; i < kKinds.size(); ++i) {
    nb::object made =
        new_class(kKinds[i].name, kKinds[i].doc, nb::make_tuple(base, nb::handle(*kKinds[i].also)));
    m.attr(kKinds[i].name) = made;
    classes[i] = made.release().ptr();
  }
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      PyErr_SetString(class_of(error.kind()), error.what());
    }
  });
}

}  // namespace uncial::python
