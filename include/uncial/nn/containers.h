#pragma once
/// @file containers.h
/// Modules made of modules.

#include <concepts>

#include "uncial/nn/module.h"

namespace uncial::nn {

/// Runs modules one after the other; their names are "0", "1", ...
///
///     nn::Sequential net(nn::Flatten(), nn::Dense(784, 128), nn::ReLU(), nn::Dense(128, 10));
///
/// Takes copies of the modules, which share the parameters of those handed in.
class Sequential : public Module {
 public:
  Sequential() = default;
  template <std::derived_from<Module>... Modules>
  requires(sizeof...(Modules) > 0) explicit Sequential(const Modules&... modules)
      : Sequential(std::vector<std::shared_ptr<Module>>{modules.copy()...}) {}
  /// Takes the modules themselves. Throws a usage Error for a null one.
  explicit Sequential(std::vector<std::shared_ptr<Module>> modules);
  /// Copies the modules, so that add() and train() on one do not show in the other; parameters are shared.
  Sequential(const Sequential& other);
  Sequential& operator=(const Sequential& other);
  Sequential(Sequential&&) = default;
  Sequential& operator=(Sequential&&) = default;

  Sequential& add(const Module& module) { return add(module.copy()); }
  Sequential& add(std::shared_ptr<Module> module);
  size_t size() const { return modules_.size(); }
  /// Throws a usage Error when there is no such module.
  Module& operator[](size_t index) { return at(index); }
  const Module& operator[](size_t index) const { return at(index); }

  Tensor forward(const Tensor& x, Context& context) const override;
  std::string_view kind() const override { return "sequential"; }
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override;

 private:
  Module& at(size_t index) const;
  std::vector<std::shared_ptr<Module>> modules_;
};

/// y = body(x) + x, or body(x) + projection(x) where the body changes the shape. Source: He et al., 2016.
/// Takes copies, which share parameters; the children are named "body" and "projection".
class Residual : public Module {
 public:
  explicit Residual(const Module& body) : Residual(body.copy()) {}
  Residual(const Module& body, const Module& projection) : Residual(body.copy(), projection.copy()) {}
  /// Takes the modules themselves; `projection` may be null. Throws a usage Error for a null body.
  explicit Residual(std::shared_ptr<Module> body, std::shared_ptr<Module> projection = nullptr);
  Residual(const Residual& other);
  Residual& operator=(const Residual& other);
  Residual(Residual&&) = default;
  Residual& operator=(Residual&&) = default;

  Tensor forward(const Tensor& x, Context& context) const override;
  std::string_view kind() const override { return "residual"; }
  void visit(Fields& fields) override;
  std::shared_ptr<Module> copy() const override;

 private:
  std::shared_ptr<Module> body_, projection_;
};

}  // namespace uncial::nn
