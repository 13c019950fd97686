#pragma once
/// @file largest.h
/// Which of several values max pooling takes: the largest, the first among equals, and the first NaN before
/// anything else. For vectors by lane masks, never branches.

namespace UNCIAL_SIMD {
namespace {

/// Whether `a`, met after `best`, replaces it.
template <class V>
[[gnu::always_inline]] inline auto beats(V a, V best) {
  return (a > best) | ((a != a) & (best == best));
}

template <class V>
[[gnu::always_inline]] inline V first_largest(V first, V second) {
  return beats(second, first) ? second : first;
}

}  // namespace
}  // namespace UNCIAL_SIMD
