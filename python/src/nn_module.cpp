// What every module has: parameters, state, modes, copies.

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "binding.h"
#include "nn.h"
#include "python_module.h"
#include "uncial/nn/containers.h"
#include "uncial/nn/network.h"

namespace uncial::python {
namespace {

using ModulePtr = std::shared_ptr<nn::Module>;

/// What an array becomes before it goes into a net: the net's float type, on its device.
Spec input_of(const nn::Module& module) {
  for (const auto& [name, tensor] : module.state_dict())
    if (is_floating(tensor.dtype())) return {tensor.dtype(), {}, tensor.device()};
  return {};
}

Tensor call(const nn::Module& module, nb::handle x) {
  if (const Tensor* tensor = as_tensor(x)) return call_module(module, *tensor);
  return call_module(module, input_like(x, input_of(module)));
}

/// The children, by the names that paths are made of.
class Children : public nn::Fields {
 public:
  void parameter(std::string_view, Tensor&, const nn::Initializer&) override {}
  void buffer(std::string_view, Tensor&, double) override {}
  void child(std::string_view name, nn::Module& module) override { found.emplace_back(name, &module); }
  std::vector<std::pair<std::string, nn::Module*>> found;
};

nb::object object_of(const nn::Module& module) {
  return nb::cast(const_cast<nn::Module*>(&module), nb::rv_policy::reference);
}

std::string text_of(const AttributeValue& value) {
  return std::visit(
      [](const auto& v) {
        using V = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<V, bool>)
          return std::string(v ? "True" : "False");
        else
          return join(v);
      },
      value);
}

ModulePtr moved(ModulePtr module, nb::handle target) {
  if (is_device(target)) {
    const Device device = device_of(target);
    const nb::gil_scoped_release unlocked;
    module->to(device);
  } else {
    module->to(dtype_of(target));
  }
  return module;
}

void load_state(nn::Module& module, nb::dict state) {
  const NamedTensors tensors = named_of(std::move(state), module.state_dict());
  const nb::gil_scoped_release unlocked;
  module.load_state_dict(tensors);
}

nb::list children_of(nb::handle self) {
  Children children;
  nb::cast<nn::Module&>(self).visit(children);
  nb::list found;
  for (const auto& [name, child] : children.found)
    found.append(nb::make_tuple(name, nb::cast(child, nb::rv_policy::reference_internal, self)));
  return found;
}

void bind_state(nb::class_<nn::Module, PythonModule>& module) {
  module
      .def("parameters", &nn::Module::parameters,
           "Learned tensors; one that several places share comes once.")
      .def(
          "named_parameters", [](const nn::Module& net) { return dict_of(net.named_parameters()); },
          "Learned tensors by path, \"0.weight\".")
      .def("named_buffers", [](const nn::Module& net) { return dict_of(net.named_buffers()); })
      .def(
          "state_dict", [](const nn::Module& net) { return dict_of(net.state_dict()); },
          "Parameters and buffers by path; they share the net's memory.")
      .def("load_state_dict", load_state, "state"_a,
           "Copies values in: all of them, or none and a DataError.")
      .def_prop_ro("parameter_count", &nn::Module::parameter_count)
      .def(
          "initialize",
          [](ModulePtr net, uint64_t seed) {
            net->initialize({.seed = seed});
            return net;
          },
          "seed"_a = 0, "Start values: a pure function of the seed and the paths.")
      .def("clone", &nn::Module::clone, "A copy with parameters of its own.")
      .def("copy", &nn::Module::copy, "A copy that shares parameters.")
      .def("__copy__", &nn::Module::copy)
      .def(
          "__deepcopy__", [](const nn::Module& net, nb::handle) { return net.clone(); }, "memo"_a)
      .def("to", moved, "target"_a, "Moves to a device, or converts to a float type.");
}

/// "Conv2d(in=1, out=16, kernel=3, ...)", children on lines of their own.
std::string repr_of(const nn::Module& module, int depth) {
  constexpr int kDeepest = 20;
  if (depth > kDeepest) return "...";
  Children children;
  const_cast<nn::Module&>(module).visit(children);  // Children only reads
  std::string text = class_name(object_of(module)) + "(";
  bool first = true;
  for (const Attribute& attribute : module.attributes()) {
    text += join(first ? "" : ", ", attribute.name, "=", text_of(attribute.value));
    first = false;
  }
  if (children.found.empty()) return text + ")";
  for (const auto& [name, child] : children.found) {
    std::string inner = join("\n(", name, "): ", repr_of(*child, depth + 1));
    for (size_t at = inner.find('\n'); at != std::string::npos; at = inner.find('\n', at + 1))
      inner.insert(at + 1, "  ");
    text += inner;
  }
  return text + "\n)";
}

}  // namespace

void bind_module(nb::module_& m) {
  nb::class_<nn::Module, PythonModule> module(
      m, "Module", nb::dynamic_attr(), nb::is_weak_referenceable(),
      "A function of a tensor with parameters. Derive from it and define forward(self, x).");
  module
      .def("__init__",
           [](nb::pointer_and_handle<nn::Module> self) {
             new (static_cast<void*>(self.p)) PythonModule(self.h);
           })
      .def("__call__", call, "x"_a, nb::sig("def __call__(self, x: object) -> uncial.Tensor"))
      .def(
          "forward",
          [](const nn::Module& net, nb::handle x) {
            if (const auto* own = dynamic_cast<const PythonModule*>(&net))
              fail(ErrorKind::usage, own->kind(), ": defines no forward(self, x).");
            return call(net, x);
          },
          "x"_a, nb::sig("def forward(self, x: object) -> uncial.Tensor"))
      .def(
          "train",
          [](ModulePtr net, bool on) {
            net->train(on);
            return net;
          },
          "on"_a = true)
      .def("eval",
           [](ModulePtr net) {
             net->eval();
             return net;
           })
      .def_prop_ro("training", &nn::Module::training)
      .def(
          "is_training",
          [](const nn::Module& net) {
            const Pass* pass = current_pass();
            return pass ? pass->context.training() : net.training();
          },
          "Within forward(): whether the pass is one of training.")
      .def_prop_ro("kind", [](const nn::Module& net) { return std::string(net.kind()); })
      .def_prop_ro("device", [](const nn::Module& net) { return join(net.device()); })
      .def("children", children_of, "(name, module) of what is directly inside.")
      .def(
          "describe", [](const nn::Module& net) { return nn::describe(net); },
          "JSON that nn.build() makes a net of.")
      .def("__repr__", [](const nn::Module& net) { return repr_of(net, 0); });
  bind_state(module);
  m.def(
      "_initialize_untouched", [](nn::Module& net) { nn::initialize_untouched(net); }, "module"_a);
  m.def(
      "build", [](const std::string& json) { return nn::build(json); }, "json"_a,
      "The net that a description (docs: include/uncial/nn/network.h) tells of, with start values of seed "
      "0.");
}

}  // namespace uncial::python
