#pragma once
/// @file two_sums.h
/// Two sums that are made together.

#include "body.h"

namespace uncial::cuda {

struct TwoSums {
  double first, second;
  UNCIAL_BODY static TwoSums add(const TwoSums& a, const TwoSums& b) {
    return {a.first + b.first, a.second + b.second};
  }
};

}  // namespace uncial::cuda
