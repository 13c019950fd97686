#include "walk.h"

#include <map>

namespace uncial::nn {
namespace {

thread_local bool deferred = false;

class Walker : public Fields {
 public:
  Walker(const std::function<void(const Field&)>& call, std::string prefix)
      : call_(call), path_(std::move(prefix)) {}

  void parameter(std::string_view name, Tensor& tensor, const Initializer& start) override {
    call_({path_of(name), tensor, &start, 0});
  }
  void buffer(std::string_view name, Tensor& tensor, double start) override {
    call_({path_of(name), tensor, nullptr, start});
  }
  void child(std::string_view name, Module& module) override {
    Walker inner(call_, path_of(name));
    module.visit(inner);
  }

 private:
  std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : join(path_, '.', name);
  }

  const std::function<void(const Field&)>& call_;
  std::string path_;
};

/// A tensor of its own, on the memory of `tensor` where an initialiser can write there.
Tensor place_for_values(const Tensor& tensor) {
  if (!tensor.device().is_cpu()) return empty(tensor.shape(), tensor.dtype());
  auto storage =
      std::make_shared<Storage>(tensor.view().data, tensor.bytes(), tensor.device(), tensor.storage());
  return Tensor(std::move(storage), tensor.dtype(), tensor.shape(), row_major(tensor.shape()));
}

/// Writes start values without counting a change. An initialiser may use operators in place, which do count:
/// so it gets a tensor of its own.
void start(const Field& field, uint64_t seed) {
  const Tensor values = place_for_values(field.tensor);
  Generator generator(seed, Purpose::initial_weights, hash_text(field.path));
  (field.learned() ? *field.start : init::constant(field.value))(values, generator);
  if (!field.tensor.device().is_cpu()) field.tensor.copy_(values.to(field.tensor.device()));
  field.tensor.storage()->touch();
}

}  // namespace

void for_each_field(Module& module, const std::function<void(const Field&)>& call,
                    const std::string& prefix) {
  Walker walker(call, prefix);
  module.visit(walker);
}

bool same_tensor(const Tensor& a, const Tensor& b) { return &a.tape_state() == &b.tape_state(); }

void initialize_untouched(Module& module, const std::string& prefix) {
  if (deferred) return;
  for_each_field(
      module,
      [](const Field& field) {
        if (field.tensor.version() == 0) start(field, InitializeOptions().seed);
      },
      prefix);
}

void initialize_untouched(Module& module) { initialize_untouched(module, ""); }

Module& Module::initialize(const InitializeOptions& options) {
  for_each_field(*this, [&](const Field& field) {
    start(field, options.seed);
    field.tensor.mark_changed();
  });
  return *this;
}

DeferInitialization::DeferInitialization() : previous_(deferred) { deferred = true; }
DeferInitialization::~DeferInitialization() { deferred = previous_; }

void load_named(std::string_view what, const NamedTensors& have, const NamedTensors& given) {
  std::string differences;
  const auto differ = [&](const auto&... parts) {
    differences += join(differences.empty() ? "" : "; ", parts...);
  };
  std::map<std::string_view, const Tensor*> by_name;
  for (const auto& [name, value] : given)
    if (!by_name.try_emplace(name, &value).second) differ(name, ": given twice");
  for (const auto& [name, tensor] : have) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) {
      differ(name, ": missing");
      continue;
    }
    const Tensor& value = *found->second;
    if (!value.defined())
      differ(name, ": got an undefined tensor");
    else if (value.shape() != tensor.shape() || value.dtype() != tensor.dtype())
      differ(name, ": got ", value.dtype(), value.shape(), ", expected ", tensor.dtype(), tensor.shape());
    by_name.erase(found);
  }
  for (const auto& [name, value] : given)
    if (by_name.erase(name)) differ(name, ": not expected");
  if (!differences.empty())
    fail(ErrorKind::data, what, ": ", differences, ". Load what was saved from the same configuration.");
  by_name.clear();
  for (const auto& [name, value] : given) by_name.emplace(name, &value);
  for (const auto& [name, tensor] : have) tensor.copy_(by_name[name]->to(tensor.device()));
}

}  // namespace uncial::nn
