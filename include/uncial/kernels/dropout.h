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

  /// The stream of one row; word j belongs to element j. Layers have seeds of their own, because the hash of
  /// a path fills all 64 bits.
  RandomStream row(int64_t sample) const {
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
/// memory.
UNCIAL_KERNEL(dropout, (Rows<const T> x, const int64_t* samples, DropoutMask mask, T scale, Rows<T> y))
