#pragma once
/// @file orthonormal.h
/// Internal.

#include <vector>

#include "uncial/core/random.h"

namespace uncial::nn {

/// `count` <= `length` orthonormal vectors one after the other, with a uniform (Haar) distribution.
std::vector<double> orthonormal(int64_t count, int64_t length, Generator& generator);

}  // namespace uncial::nn
