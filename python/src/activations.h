#pragma once
/// What every layer of a net gives for an input.

#include "binding.h"
#include "uncial/nn/module.h"

namespace uncial::python {

struct Activation {
  std::string path, kind;
  Tensor output;  ///< on the host, row-major
};

/// In evaluation. An image (C, H, W) gets a batch axis.
std::vector<Activation> activations_of(const nn::Module& net, nb::handle input);

}  // namespace uncial::python
