#include "python_module.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <functional>

#include "binding.h"

namespace uncial::python {
namespace {

thread_local Pass* pass_now = nullptr;

class PassScope {
 public:
  PassScope(nn::Context& context, const PythonModule& module) : pass_{context, module}, previous_(pass_now) {
    pass_now = &pass_;
  }
  ~PassScope() { pass_now = previous_; }
  PassScope(const PassScope&) = delete;
  PassScope& operator=(const PassScope&) = delete;

 private:
  Pass pass_;
  Pass* previous_;
};

/// Counts how deep attributes are nested: a module that holds itself, or a list that does, would never end.
class DepthScope {
 public:
  DepthScope() {
    require(depth < kDeepest, "Module: attributes are nested more than ", kDeepest,
            " deep. Does a module hold itself, or its parent? Keep such a reference in a weakref.");
    ++depth;
  }
  ~DepthScope() { --depth; }
  DepthScope(const DepthScope&) = delete;
  DepthScope& operator=(const DepthScope&) = delete;

 private:
  static constexpr int kDeepest = 100;
  static thread_local int depth;
};
thread_local int DepthScope::depth = 0;

/// What is found among the attributes of a module.
struct Visitor {
  std::function<void(const std::string& name, nn::Module& child)> child;
  std::function<void(const std::string& name, Tensor& parameter)> parameter;
};

/// Modules and parameters in `value`, which may be a list, tuple or dict of them.
void visit_value(const std::string& name, nb::handle value, const Visitor& visitor) {
  const DepthScope scope;
  if (nb::isinstance<nn::Module>(value)) {
    visitor.child(name, nb::cast<nn::Module&>(value));
  } else if (Tensor* tensor = as_tensor(value)) {
    if (tensor->defined() && tensor->is_leaf() && tensor->requires_grad()) visitor.parameter(name, *tensor);
  } else if (nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value)) {
    int place = 0;
    for (nb::handle item : value) visit_value(join(name, '.', place++), item, visitor);
  } else if (nb::isinstance<nb::dict>(value)) {
    for (auto [key, item] : nb::borrow<nb::dict>(value))
      visit_value(join(name, '.', nb::cast<std::string>(nb::str(key))), item, visitor);
  }
}

void visit_attributes(nb::handle self, const Visitor& visitor) {
  for (auto [name, value] : nb::cast<nb::dict>(self.attr("__dict__")))
    visit_value(nb::cast<std::string>(name), value, visitor);
}

/// `value` with modules and tensors copied as Module::copy() does: handles of their own on the same memory.
nb::object twin_of(nb::handle value) {
  const DepthScope scope;
  if (nb::isinstance<nn::Module>(value)) return nb::cast(nb::cast<nn::Module&>(value).copy());
  if (const Tensor* tensor = as_tensor(value)) return nb::cast(Tensor(*tensor));
  if (nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value)) {
    nb::list items;
    for (nb::handle item : value) items.append(twin_of(item));
    if (nb::isinstance<nb::list>(value)) return items;
    return nb::tuple(items);
  }
  if (nb::isinstance<nb::dict>(value)) {
    nb::dict items;
    for (auto [key, item] : nb::borrow<nb::dict>(value)) items[key] = twin_of(item);
    return items;
  }
  return nb::borrow(value);
}

}  // namespace

PythonModule::PythonModule(nb::handle self) : self_(self), kind_(class_name(self)) {}

Tensor PythonModule::forward(const Tensor& x, nn::Context& context) const {
  const nb::gil_scoped_acquire locked;
  const PassScope scope(context, *this);
  const nb::object y = self_.attr("forward")(x);
  const Tensor* tensor = as_tensor(y);
  if (!tensor) fail(ErrorKind::usage, kind_, ".forward: returned ", class_name(y), ", expected a Tensor.");
  return *tensor;
}

void PythonModule::visit(nn::Fields& fields) {
  const nb::gil_scoped_acquire locked;
  visit_attributes(self_,
                   {.child = [&](const std::string& name, nn::Module& child) { fields.child(name, child); },
                    .parameter =
                        [&](const std::string& name, Tensor& parameter) {
                          // Its start value is the one that it was made with.
                          const Tensor now = parameter;
                          fields.parameter(name, parameter, [now](const Tensor& values, Generator&) {
                            values.copy_(now.detach().to(values.device()));
                          });
                        }});
}

std::shared_ptr<nn::Module> PythonModule::copy() const {
  const nb::gil_scoped_acquire locked;
  nb::object twin = self_.type().attr("__new__")(self_.type());
  nb::type<nn::Module>().attr("__init__")(twin);
  nb::cast<nn::Module&>(twin).train(training());
  nb::dict attributes = nb::cast<nb::dict>(twin.attr("__dict__"));
  for (auto [name, value] : nb::cast<nb::dict>(self_.attr("__dict__"))) attributes[name] = twin_of(value);
  return nb::cast<std::shared_ptr<nn::Module>>(twin);
}

std::string PythonModule::name_of(const nn::Module& child) const {
  std::string found;
  visit_attributes(self_, {.child =
                               [&](const std::string& name, nn::Module& module) {
                                 if (&module == &child && found.empty()) found = name;
                               },
                           .parameter = [](const std::string&, Tensor&) {}});
  return found;
}

Pass* current_pass() { return pass_now; }

Tensor call_module(const nn::Module& module, const Tensor& x) {
  if (Pass* pass = pass_now) {
    const std::string name = pass->module.name_of(module);
    const nb::gil_scoped_release unlocked;
    return pass->context.run(name, module, x);
  }
  const nb::gil_scoped_release unlocked;
  return module(x);
}

}  // namespace uncial::python
