#include "uncial/nn/activations.h"

#include "uncial/ops/elementwise.h"
#include "uncial/ops/loss.h"

namespace uncial::nn {

#define UNCIAL_ACTIVATION(Name, function)                                       \
  Tensor Name::forward(const Tensor& x, Context&) const { return function(x); } \
  std::string_view Name::kind() const { return #function; }                     \
  std::shared_ptr<Module> Name::copy() const { return std::make_shared<Name>(*this); }
UNCIAL_ACTIVATION(ReLU, relu)
UNCIAL_ACTIVATION(GELU, gelu)
UNCIAL_ACTIVATION(SiLU, silu)
UNCIAL_ACTIVATION(Sigmoid, sigmoid)
UNCIAL_ACTIVATION(Tanh, tanh)
UNCIAL_ACTIVATION(Softplus, softplus)
#undef UNCIAL_ACTIVATION

#define UNCIAL_ACTIVATION(Name, function, number)                                          \
  Tensor Name::forward(const Tensor& x, Context&) const { return function(x, number##_); } \
  std::string_view Name::kind() const { return #function; }                                \
  std::vector<Attribute> Name::attributes() const { return {{#number, number##_}}; }       \
  std::shared_ptr<Module> Name::copy() const { return std::make_shared<Name>(*this); }
UNCIAL_ACTIVATION(LeakyReLU, leaky_relu, slope)
UNCIAL_ACTIVATION(ELU, elu, alpha)
UNCIAL_ACTIVATION(Softmax, softmax, axis)
UNCIAL_ACTIVATION(LogSoftmax, log_softmax, axis)
#undef UNCIAL_ACTIVATION

}  // namespace uncial::nn
