#pragma once
/// @file lane_doubles.h
/// Sums in double precision, one for each float lane, and which lanes count.

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

/// All bits in lanes [0, samples), which hold samples.
[[gnu::always_inline]] inline Lanes<int32_t>::V real_lanes(int64_t samples) {
  Lanes<int32_t>::V real = {};
  for (int64_t i = 0; i < samples; ++i) real[i] = -1;
  return real;
}

struct LaneDoubles {
  typedef double Half __attribute__((vector_size(kVectorBytes)));
  typedef float Narrow __attribute__((vector_size(kVectorBytes / 2), aligned(4), may_alias));
  static constexpr int count = Lanes<float>::count;
  Half low = {}, high = {};

  [[gnu::always_inline]] void add(const Lanes<float>::V& v) {
    const Narrow* halves = reinterpret_cast<const Narrow*>(&v);
    low += __builtin_convertvector(halves[0], Half);
    high += __builtin_convertvector(halves[1], Half);
  }
  [[gnu::always_inline]] void to(double* lanes) const {
    store<double>(lanes, low);
    store<double>(lanes + count / 2, high);
  }
  /// Sum of the first `samples` lanes, one after the other.
  [[gnu::always_inline]] double sum(int64_t samples) const {
    double lanes[count], total = 0;
    to(lanes);
    for (int64_t i = 0; i < samples; ++i) total += lanes[i];
    return total;
  }
};

}  // namespace
}  // namespace UNCIAL_SIMD
