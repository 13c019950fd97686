#pragma once
/// @file network.h
/// Networks as text. Model files carry this description, so that a net can be built again from a file alone.
///
///     {"kind": "sequential", "layers": [
///       {"kind": "conv2d", "in": 1, "out": 16, "kernel": 5, "bias": false},
///       {"kind": "relu"}, {"kind": "flatten"}, {"kind": "dense", "in": 9216, "out": 10}]}
///
/// A kind and its keys are Module::kind() and Module::attributes(); a key that is left out takes the default
/// of the layer's options. A sequential has "layers"; a residual has "body" and, if it needs one,
/// "projection".

#include <memory>
#include <string>
#include <string_view>

#include "uncial/nn/module.h"

namespace uncial::nn {

/// The description of `module`, on one line, with every attribute written out. Initialisers are not part of
/// it. Throws a usage Error for modules of kinds that build() does not know.
std::string describe(const Module& module);

/// Limits of build(): what a hostile description may ask for.
struct BuildOptions {
  int64_t max_parameters = int64_t(1) << 28;  ///< learned values of the whole net; 1 GiB in float32
};

/// The module that `json` describes, with start values of seed 0. Text of at most 1 MiB, modules nested at
/// most 64 deep. Throws Error(data) naming the place ("layers[2].kernel") and what was expected there; a
/// layer that would exceed max_parameters is refused before its memory is allocated.
std::shared_ptr<Module> build(std::string_view json, const BuildOptions& options = {});

}  // namespace uncial::nn
