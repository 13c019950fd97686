#pragma once
/// check_op() for one set of inputs, with the tolerances that layers need.

#include <cmath>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/isa.h"

namespace uncial::test {

struct LayerCheck {
  Function layer;
  Function reference;  ///< the same formula, slow; gets row-major float64 inputs
  Tensors inputs;      ///< float64 ones are differentiated; others are handed on
  double tolerance = 1e-12;
  double gradient_tolerance = 1e-6;
  double float_tolerance = 2e-5;  ///< of float32 values and gradients
  double second_tolerance = 0;    ///< of second derivatives; 0 skips them
};

inline void check_layer(const LayerCheck& check) {
  check_op({.op = check.layer,
            .reference = check.reference,
            .inputs = {check.inputs},
            .value_tolerance = check.tolerance,
            .gradient_tolerance = check.gradient_tolerance,
            .second_tolerance = check.second_tolerance,
            .float_tolerance = check.float_tolerance,
            .sums = true});
}

}  // namespace uncial::test
