#pragma once
/// @file run_sums.h
/// Sums over a run of neighbouring values in two vectors of lanes, which the fixed tree of lane_sum() adds
/// up. A run has at most some thousand values, so that float lanes lose little; callers add runs in double.

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

/// Sum of term(i) over [0, n): vector_term(i) gives the terms i ... i + count - 1, term(i) one.
template <class T, class VectorTerm, class Term>
[[gnu::always_inline]] inline double run_sum(int64_t n, const VectorTerm& vector_term, const Term& term) {
  constexpr int lanes = Lanes<T>::count;
  typename Lanes<T>::V first = {}, second = {};
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    first += vector_term(i);
    second += vector_term(i + lanes);
  }
  for (; i + lanes <= n; i += lanes) first += vector_term(i);
  double total = double(lane_sum<T>(first + second));
  for (; i < n; ++i) total += double(term(i));
  return total;
}

}  // namespace
}  // namespace UNCIAL_SIMD
