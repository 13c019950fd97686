#pragma once
#include "uncial/kernels/host_device.h"
#include "uncial/kernels/kernel.h"

namespace uncial {

/// What dynamic loss scaling counts, as three neighbouring int64.
struct LossScaleCounts {
  int64_t not_finite;  ///< other than 0: this step has gradients that are not finite
  int64_t good;        ///< steps since the factor last changed
  int64_t skipped;     ///< steps, in all
};

inline constexpr float kSmallestLossScale = 1, kLargestLossScale = 1 << 24;

namespace formula {

/// After a step's gradients were looked at: `unscale` becomes what undoes `factor` in them, or 0 for a step
/// that must be skipped, and `factor` that of the next step. At the smallest factor nothing is skipped: a
/// gradient that is not finite then has another cause, and shall be seen in the weights.
UNCIAL_HD inline void move_loss_scale(float& factor, float& unscale, LossScaleCounts& counts,
                                      int64_t interval) {
  const bool skips = counts.not_finite != 0 && factor > kSmallestLossScale;
  counts.not_finite = 0;
  unscale = skips ? 0.0f : 1.0f / factor;
  if (skips) {
    factor *= 0.5f;
    counts.good = 0;
    ++counts.skipped;
  } else if (++counts.good >= interval) {
    counts.good = 0;
    if (factor < kLargestLossScale) factor *= 2.0f;
  }
}

}  // namespace formula

namespace kernels {

/// `size` values in one piece.
template <class T>
struct Values {
  const T* data;
  int64_t size;
};

}  // namespace kernels
}  // namespace uncial

/// *found = 1 when any value of any of the `count` tensors is infinite or NaN, else as it was; the table is
/// on the host.
UNCIAL_KERNEL(find_not_finite, (const kernels::Values<T>* table, int64_t count, int64_t* found))
/// formula::move_loss_scale()
UNCIAL_KERNEL(move_loss_scale, (T * factor, T* unscale, LossScaleCounts* counts, int64_t interval))
