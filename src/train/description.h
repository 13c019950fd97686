#pragma once
// A net as text, where it has one.

#include <string>

#include "uncial/nn/module.h"

namespace uncial::train {

/// nn::describe(), or an empty text for nets with modules of the user's own, which cannot be built from text.
std::string description_or_empty(const nn::Module& net);

}  // namespace uncial::train
