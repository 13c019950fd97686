#pragma once
/// @file activations.h
/// Activations as modules; the functions of the same names in ops/elementwise.h and ops/loss.h define them.

#include "uncial/nn/module.h"

namespace uncial::nn {

#define UNCIAL_ACTIVATION(Name)                               \
  class Name : public Module {                                \
   public:                                                    \
    Tensor forward(const Tensor& x, Context&) const override; \
    std::string_view kind() const override;                   \
    std::shared_ptr<Module> copy() const override;            \
  };
/// max(x, 0)
UNCIAL_ACTIVATION(ReLU)
/// x * Phi(x)
UNCIAL_ACTIVATION(GELU)
/// x * sigmoid(x)
UNCIAL_ACTIVATION(SiLU)
/// 1 / (1 + e^-x)
UNCIAL_ACTIVATION(Sigmoid)
/// (e^x - e^-x) / (e^x + e^-x)
UNCIAL_ACTIVATION(Tanh)
/// ln(1 + e^x)
UNCIAL_ACTIVATION(Softplus)
#undef UNCIAL_ACTIVATION

#define UNCIAL_ACTIVATION(Name, Number, number, start)          \
  class Name : public Module {                                  \
   public:                                                      \
    explicit Name(Number number = start) : number##_(number) {} \
    Tensor forward(const Tensor& x, Context&) const override;   \
    std::string_view kind() const override;                     \
    std::vector<Attribute> attributes() const override;         \
    std::shared_ptr<Module> copy() const override;              \
                                                                \
   private:                                                     \
    Number number##_;                                           \
  };
/// x > 0 ? x : slope * x
UNCIAL_ACTIVATION(LeakyReLU, double, slope, 0.01)
/// x > 0 ? x : alpha * (e^x - 1)
UNCIAL_ACTIVATION(ELU, double, alpha, 1)
/// exp(x) / sum(exp(x)) along `axis`
UNCIAL_ACTIVATION(Softmax, int64_t, axis, -1)
/// x - log(sum(exp(x))) along `axis`
UNCIAL_ACTIVATION(LogSoftmax, int64_t, axis, -1)
#undef UNCIAL_ACTIVATION

}  // namespace uncial::nn
