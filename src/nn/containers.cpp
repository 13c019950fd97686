#include "uncial/nn/containers.h"

#include "uncial/ops/elementwise.h"
#include "walk.h"

namespace uncial::nn {
namespace {

std::shared_ptr<Module> copy_of(const std::shared_ptr<Module>& module) {
  return module ? module->copy() : nullptr;
}

}  // namespace

Sequential::Sequential(std::vector<std::shared_ptr<Module>> modules) {
  modules_.reserve(modules.size());
  for (auto& module : modules) add(std::move(module));
}

Sequential::Sequential(const Sequential& other) : Module(other) {
  for (const auto& module : other.modules_) modules_.push_back(module->copy());
}

Sequential& Sequential::operator=(const Sequential& other) { return *this = Sequential(other); }

Sequential& Sequential::add(std::shared_ptr<Module> module) {
  require(module != nullptr, "Sequential: module ", size(), " is null.");
  initialize_untouched(*module, std::to_string(size()));
  modules_.push_back(std::move(module));
  return *this;
}

Module& Sequential::at(size_t index) const {
  require(index < size(), "Sequential: no module ", index, "; there are ", size(), ".");
  return *modules_[index];
}

Tensor Sequential::forward(const Tensor& x, Context& context) const {
  Tensor y = x;
  for (size_t i = 0; i < size(); ++i) y = context.run(std::to_string(i), *modules_[i], y);
  return y;
}

void Sequential::visit(Fields& fields) {
  for (size_t i = 0; i < size(); ++i) fields.child(std::to_string(i), *modules_[i]);
}

std::shared_ptr<Module> Sequential::copy() const { return std::make_shared<Sequential>(*this); }

Residual::Residual(std::shared_ptr<Module> body, std::shared_ptr<Module> projection)
    : body_(std::move(body)), projection_(std::move(projection)) {
  require(body_ != nullptr, "Residual: the body is null.");
  initialize_untouched(*this);
}

Residual::Residual(const Residual& other)
    : Module(other), body_(copy_of(other.body_)), projection_(copy_of(other.projection_)) {}

Residual& Residual::operator=(const Residual& other) { return *this = Residual(other); }

Tensor Residual::forward(const Tensor& x, Context& context) const {
  const Tensor y = context.run("body", *body_, x);
  const Tensor skip = projection_ ? context.run("projection", *projection_, x) : x;
  require(y.shape() == skip.shape(), "Residual: the body gives ", y.shape(), " and the shortcut ",
          skip.shape(),
          projection_ ? "; they must be equal." : "; add a projection that gives the body's shape.");
  return y + skip;
}

void Residual::visit(Fields& fields) {
  fields.child("body", *body_);
  if (projection_) fields.child("projection", *projection_);
}

std::shared_ptr<Module> Residual::copy() const { return std::make_shared<Residual>(*this); }

}  // namespace uncial::nn
