// The class Tensor: what it is, where it came from, and its gradient. Operators are in operators.cpp.

#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "binding.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/cuda.h"

namespace uncial::python {
namespace {

/// "tensor([[1, 2],\n        [3, 4]], float32)".
std::string repr_of(const Tensor& x) {
  const std::string text = to_string(x.detach());
  std::string values = text.substr(text.find('\n') + 1);
  for (size_t at = values.find('\n'); at != std::string::npos; at = values.find('\n', at + 1))
    values.insert(at + 1, "       ");
  std::string end = join(", ", x.dtype());
  if (x.size() == 0 || x.rank() > 1 || x.size() > 6) end += join(", shape=", x.shape());
  if (!x.device().is_cpu()) end += join(", ", x.device());
  if (x.requires_grad()) end += x.is_leaf() ? ", requires_grad" : ", on the tape";
  return join("tensor(", values, end, ")");
}

Tensor made(nb::handle data, nb::handle dtype, nb::handle device, bool requires_grad) {
  Tensor x = tensor_of(data);
  if (!dtype.is_none()) x = x.to(dtype_of(dtype));
  if (!device.is_none()) x = x.to(device_of(device));
  if (requires_grad) x.set_requires_grad();
  return x;
}

Tensor converted(const Tensor& x, nb::handle target) {
  if (is_device(target)) {
    const Device device = device_of(target);
    const nb::gil_scoped_release unlocked;
    return x.to(device);
  }
  const DType dtype = dtype_of(target);
  const nb::gil_scoped_release unlocked;
  return x.to(dtype);
}

nb::object item(const Tensor& x) {
  if (x.dtype() == DType::boolean) return nb::bool_(x.item<bool>());
  if (is_floating(x.dtype())) return nb::float_(x.item());
  return nb::int_(x.item<int64_t>());
}

void backward(const Tensor& x, nb::handle gradient, bool retain_graph) {
  const std::optional<Tensor> dy =
      gradient.is_none() ? std::nullopt : std::optional(input_like(gradient, x.spec()));
  const nb::gil_scoped_release unlocked;
  if (dy)
    x.backward(*dy, retain_graph);
  else
    x.backward(retain_graph);
}

nb::object as_array(const Tensor& x, nb::handle dtype, nb::handle copy) {
  nb::object array = array_of(x);
  const bool wants_copy = !copy.is_none() && nb::cast<bool>(copy);
  if (!dtype.is_none()) return array.attr("astype")(dtype, "copy"_a = wants_copy);
  return wants_copy ? array.attr("copy")() : array;
}

/// memoryview(x) gets the array's own buffer, so that whoever holds it holds the memory.
int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  try {
    return PyObject_GetBuffer(array_of(*nb::inst_ptr<Tensor>(self)).ptr(), view, flags);
  } catch (nb::python_error& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_BufferError, error.what());
  }
  view->obj = nullptr;
  return -1;
}

const PyType_Slot kSlots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)}, {0, nullptr}};

void bind_properties(nb::class_<Tensor>& tensor) {
  tensor.def_prop_ro("shape", [](const Tensor& x) { return tuple_of(x.shape()); })
      .def_prop_ro(
          "strides", [](const Tensor& x) { return tuple_of(x.strides()); }, "In elements.")
      .def_prop_ro("ndim", [](const Tensor& x) { return x.rank(); })
      .def_prop_ro(
          "size", [](const Tensor& x) { return x.size(); }, "Number of elements.")
      .def_prop_ro("nbytes", [](const Tensor& x) { return x.bytes(); })
      .def_prop_ro("dtype", [](const Tensor& x) { return std::string(name_of(x.dtype())); })
      .def_prop_ro("device", [](const Tensor& x) { return join(x.device()); })
      .def_prop_ro("is_contiguous", [](const Tensor& x) { return x.is_contiguous(); })
      .def("__len__",
           [](const Tensor& x) {
             require(x.rank() > 0, "len: a scalar tensor has no length.");
             return x.size(0);
           })
      .def("__repr__", repr_of);
}

void bind_gradients(nb::class_<Tensor>& tensor) {
  tensor
      .def_prop_rw(
          "requires_grad", [](const Tensor& x) { return x.requires_grad(); },
          [](const Tensor& x, bool on) { x.set_requires_grad(on); })
      .def_prop_ro("is_leaf", [](const Tensor& x) { return x.is_leaf(); })
      .def_prop_rw(
          "grad", [](const Tensor& x) { return optional_tensor(x.grad()); },
          [](const Tensor& x, nb::handle gradient) {
            x.set_grad(gradient.is_none() ? Tensor() : input_like(gradient, x.spec()));
          },
          nb::for_getter(nb::sig("def grad(self) -> Tensor | None")),
          nb::for_setter(nb::arg("gradient").none()))
      .def("backward", backward, "gradient"_a = nb::none(), "retain_graph"_a = false,
           "Adds derivatives of this scalar (or of the sum weighted by `gradient`) to the grad of every leaf "
           "that wants one.")
      .def("zero_grad", [](const Tensor& x) { x.zero_grad(); })
      .def(
          "detach", [](const Tensor& x) { return x.detach(); }, "The same memory, cut off from the tape.")
      .def(
          "clone", [](const Tensor& x) { return x.clone(); }, Unlocked(), "A copy in memory of its own.")
      .def(
          "contiguous", [](const Tensor& x) { return x.contiguous(); }, Unlocked());
}

void bind_exchange(nb::class_<Tensor>& tensor) {
  tensor
      .def("numpy", array_of, nb::sig("def numpy(self) -> numpy.ndarray"),
           "An array on the same memory, which it keeps alive.")
      .def("__array__", as_array, "dtype"_a = nb::none(), "copy"_a = nb::none())
      .def("__dlpack__", [](const Tensor& x,
                            const nb::kwargs& options) { return exported(x).attr("__dlpack__")(**options); })
      .def("__dlpack_device__", [](const Tensor& x) { return exported(x).attr("__dlpack_device__")(); })
      .def("tolist", [](const Tensor& x) { return array_of(x).attr("tolist")(); })
      .def("item", item, nb::sig("def item(self) -> float | int | bool"), "The only element.")
      .def("__float__", [](const Tensor& x) { return x.item(); })
      .def("__int__", [](const Tensor& x) { return x.item<int64_t>(); })
      .def("__bool__", [](const Tensor& x) { return x.item() != 0; })
      .def("to", converted, "target"_a,
           "Converted to a dtype, or moved to a device; itself when nothing changes.")
      .def(
          "copy_",
          [](const Tensor& x, nb::handle source) {
            const Tensor from = input_like(source, x.spec());
            const nb::gil_scoped_release unlocked;
            x.copy_(from);
            return x;
          },
          "source"_a, "Overwrites the elements, broadcast and converted; not differentiable.")
      .def(
          "fill_",
          [](const Tensor& x, double value) {
            x.fill_(value);
            return x;
          },
          "value"_a);
  // NumPy leaves `array + tensor` to us then, and still turns tensors into arrays where it is asked to.
  tensor.attr("__array_priority__") = 1000;
}

void bind_factories(nb::module_& m) {
  m.def("tensor", made, "data"_a, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
        "requires_grad"_a = false, "A copy of numbers, lists, or an array.");
  m.def(
      "asarray",
      [](nb::handle data, nb::handle dtype) {
        const Tensor x = shared_tensor_of(data);
        return dtype.is_none() ? x : x.to(dtype_of(dtype));
      },
      "data"_a, "dtype"_a = nb::none(), "The same memory where that is possible, else a copy.");
  m.def("from_dlpack", shared_tensor_of, "data"_a, "The same memory as another library's CPU tensor.");
  m.def(
      "parameter", [](nb::handle data) { return parameter(shared_tensor_of(data)); }, "data"_a,
      "A leaf that wants a gradient.");

  const auto filled = [&m](const char* name, Tensor (*make)(const Shape&, DType, Device)) {
    m.def(
        name,
        [make](nb::handle shape, nb::handle dtype, nb::handle device) {
          return make(shape_of(shape), dtype_of(dtype), device_of(device));
        },
        "shape"_a, nb::kw_only(), "dtype"_a = "float32", "device"_a = "cpu");
  };
  filled("empty", empty);
  filled("zeros", zeros);
  filled("ones", ones);
  m.def(
      "full",
      [](nb::handle shape, double value, nb::handle dtype, nb::handle device) {
        return full(shape_of(shape), value, dtype_of(dtype), device_of(device));
      },
      "shape"_a, "value"_a, nb::kw_only(), "dtype"_a = "float32", "device"_a = "cpu");
  m.def(
      "zeros_like", [](const Tensor& x) { return zeros_like(x); }, "x"_a);
  m.def(
      "ones_like", [](const Tensor& x) { return ones(x.shape(), x.dtype(), x.device()); }, "x"_a);
  m.def(
      "arange",
      [](double start, std::optional<double> stop, double step, nb::handle dtype) {
        return arange(stop ? start : 0, stop.value_or(start), step, dtype_of(dtype));
      },
      "start"_a, "stop"_a = nb::none(), "step"_a = 1.0, nb::kw_only(), "dtype"_a = "int64",
      "start, start + step, ... below stop; with one number, 0, 1, ... below it.");
  m.def(
      "randn",
      [](nb::handle shape, uint64_t seed, nb::handle dtype) {
        return randn(shape_of(shape), seed, dtype_of(dtype));
      },
      "shape"_a, "seed"_a = 0, nb::kw_only(), "dtype"_a = "float32",
      "Standard normal values: a pure function of shape and seed.");
  m.def(
      "rand",
      [](nb::handle shape, uint64_t seed, double low, double high, nb::handle dtype) {
        return rand(shape_of(shape), seed, low, high, dtype_of(dtype));
      },
      "shape"_a, "seed"_a = 0, "low"_a = 0.0, "high"_a = 1.0, nb::kw_only(), "dtype"_a = "float32",
      "Uniform values in [low, high): a pure function of shape and seed.");
}

/// `with no_grad():`, again and again and within itself.
class NoGradStack {
 public:
  NoGradStack() = default;
  NoGradStack(const NoGradStack&) = delete;
  NoGradStack& operator=(const NoGradStack&) = delete;
  void enter() { guards_.push_back(std::make_unique<NoGrad>()); }
  void exit() { guards_.pop_back(); }

 private:
  std::vector<std::unique_ptr<NoGrad>> guards_;
};

void bind_tape(nb::module_& m) {
  nb::class_<NoGradStack>(m, "_NoGrad")
      .def(nb::init<>())
      .def("__enter__", &NoGradStack::enter)
      .def("__exit__", [](NoGradStack& stack, const nb::args&) { stack.exit(); });
  m.def("grad_enabled", grad_enabled, "True when operators of this thread append to the tape.");
  m.def(
      "gradients",
      [](const Tensor& y, const Tensors& xs, nb::handle dy, bool retain_graph, bool create_graph) {
        const Tensor weights = dy.is_none() ? Tensor() : input_like(dy, y.spec());
        Tensors found;
        {
          const nb::gil_scoped_release unlocked;
          found = gradients(y, xs, weights, {.retain_graph = retain_graph, .create_graph = create_graph});
        }
        nb::list result;
        for (const Tensor& dx : found) result.append(optional_tensor(dx));
        return result;
      },
      "y"_a, "xs"_a, "dy"_a = nb::none(), "retain_graph"_a = false, "create_graph"_a = false,
      nb::sig("def gradients(y: Tensor, xs: collections.abc.Sequence[Tensor], dy: Tensor | None = None, "
              "retain_graph: bool = False, create_graph: bool = False) -> list[Tensor | None]"),
      "Derivatives of y (weighted by dy) for each x, without touching anybody's grad; None where y does not "
      "depend on x.");
}

}  // namespace

void bind_tensor(nb::module_& m) {
  nb::class_<Tensor> tensor(m, "Tensor", nb::type_slots(kSlots), nb::is_weak_referenceable(),
                            "An n-dimensional array; copies of the handle share its memory.");
  tensor.def(
      "__init__",
      [](Tensor* self, nb::handle data, nb::handle dtype, nb::handle device, bool requires_grad) {
        new (self) Tensor(made(data, dtype, device, requires_grad));
      },
      "data"_a, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(), "requires_grad"_a = false);
  bind_properties(tensor);
  bind_gradients(tensor);
  bind_exchange(tensor);
  nb::implicitly_convertible<nb::ndarray<nb::ro>, Tensor>();
  nb::implicitly_convertible<nb::list, Tensor>();
  bind_factories(m);
  bind_tape(m);
}

}  // namespace uncial::python
