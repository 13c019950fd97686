#include "uncial/nn/module.h"

#include <algorithm>

#include "uncial/autograd/grad_mode.h"
#include "walk.h"

namespace uncial::nn {
namespace {

/// visit() hands out references that may be written through; this caller only reads.
template <class Keep>
NamedTensors collect(const Module& module, const Keep& keep) {
  NamedTensors found;
  for_each_field(const_cast<Module&>(module), [&](const Field& field) {
    if (keep(field)) found.emplace_back(field.path, field.tensor);
  });
  return found;
}

/// Replaces every tensor of `module` by convert(tensor); one that several places share is converted once.
template <class Convert>
void replace_tensors(Module& module, const Convert& convert) {
  const NoGrad no_grad;
  std::vector<std::pair<Tensor, Tensor>> done;
  for_each_field(module, [&](const Field& field) {
    Tensor& tensor = field.tensor;
    for (const auto& [before, after] : done)
      if (same_tensor(before, tensor)) {
        tensor = after;
        return;
      }
    const Tensor before = tensor;
    if (const Tensor after = convert(before); !same_tensor(before, after)) {
      tensor = after.detach();
      if (before.requires_grad()) tensor.set_requires_grad();
      if (before.version() != 0) tensor.mark_changed();  // trained or loaded values stay that
    }
    done.emplace_back(before, tensor);
  });
}

class TrainingMode : public Fields {
 public:
  explicit TrainingMode(bool on) : on_(on) {}
  void parameter(std::string_view, Tensor&, const Initializer&) override {}
  void buffer(std::string_view, Tensor&, double) override {}
  void child(std::string_view, Module& module) override { module.train(on_); }

 private:
  bool on_;
};

}  // namespace

Tensor Module::operator()(const Tensor& x) const {
  Context context(training_ ? Mode::train : Mode::eval);
  Tensor y = forward(x, context);
  context.apply_updates();
  return y;
}

NamedTensors Module::named_parameters() const {
  return collect(*this, [](const Field& field) { return field.learned(); });
}

NamedTensors Module::named_buffers() const {
  return collect(*this, [](const Field& field) { return !field.learned(); });
}

NamedTensors Module::state_dict() const {
  return collect(*this, [](const Field&) { return true; });
}

Tensors Module::parameters() const {
  Tensors found;
  for (const auto& [path, tensor] : named_parameters())
    if (std::none_of(found.begin(), found.end(),
                     [&t = tensor](const Tensor& f) { return same_tensor(f, t); }))
      found.push_back(tensor);
  return found;
}

int64_t Module::parameter_count() const {
  int64_t values = 0;
  for (const Tensor& p : parameters()) values += p.size();
  return values;
}

void Module::load_state_dict(const NamedTensors& state) {
  load_named(join("load_state_dict into ", kind()), state_dict(), state);
}

std::shared_ptr<Module> Module::clone() const {
  std::shared_ptr<Module> twin = copy();
  replace_tensors(*twin, [](const Tensor& x) { return x.clone(); });
  return twin;
}

Module& Module::to(Device device) {
  replace_tensors(*this, [&](const Tensor& x) { return x.to(device); });
  return *this;
}

Module& Module::to(DType dtype) {
  require(is_floating(dtype), "Module::to: parameters need a floating dtype, got ", dtype, ".");
  replace_tensors(*this, [&](const Tensor& x) { return is_floating(x.dtype()) ? x.to(dtype) : x; });
  return *this;
}

Device Module::device() const {
  const NamedTensors all = state_dict();
  return all.empty() ? Device::cpu() : all.front().second.device();
}

Module& Module::train(bool on) {
  training_ = on;
  TrainingMode children(on);
  visit(children);
  return *this;
}

}  // namespace uncial::nn
