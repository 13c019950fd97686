#pragma once
/// @file halo.h
/// What a planned image has around it. Internal.

#include <algorithm>
#include <cstdint>

namespace uncial::program {

/// Rows and columns around an image that convolutions read: `before` above and on the left, `below`,
/// `behind`.
struct Halo {
  int64_t before = 0, below = 0, behind = 0;
  bool none() const { return before == 0 && below == 0 && behind == 0; }
  Halo merged(const Halo& other) const {
    return {std::max(before, other.before), std::max(below, other.below), std::max(behind, other.behind)};
  }
  friend bool operator==(const Halo&, const Halo&) = default;
};

}  // namespace uncial::program
