#pragma once
#include "uncial/core/random.h"
#include "uncial/kernels/kernel.h"

namespace uncial {

/// What decides a mask, apart from the sample and the place in the row. All arithmetic on it is integer, so
/// that every backend draws the same mask.
struct DropoutMask {
  uint64_t seed;
  uint64_t layer, epoch;
  uint32_t threshold;  ///< a place is dropped when its random word is below

  /// From a dropout key's state: seed, layer, epoch.
  static constexpr DropoutMask of(const int64_t* state, uint32_t threshold) {
    return {uint64_t(state[0]), uint64_t(state[1]), uint64_t(state[2]), threshold};
  }

  /// The stream of one row; word j belongs to element j. Layers have seeds of their own, because the hash of
  /// a path fills all 64 bits.
  constexpr RandomStream row(int64_t sample) const {
    return RandomStream(derived_seed(seed, layer), Purpose::dropout, epoch, uint64_t(sample));
  }
};

/// round(p * 2^32), kept below 2^32.
inline uint32_t dropout_threshold(double p) {
  const double scaled = p * 0x1p32 + 0.5;
  return scaled >= 0x1p32 ? ~0u : uint32_t(scaled);
}

}  // namespace uncial

/// y[i, j] = 0 where the mask of samples[i] drops place j, else x[i, j] * scale; x and y may be the same
/// memory. The mask is DropoutMask::of(state, threshold): state and samples come by pointer, so that a
/// captured step reads them anew each time.
UNCIAL_KERNEL(dropout, (Rows<const T> x, const int64_t* samples, const int64_t* state, uint32_t threshold,
                        T scale, Rows<T> y))
