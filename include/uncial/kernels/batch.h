#pragma once
/// @file batch.h
/// Batches of a data set that lies on the device, and the sums of an epoch. Where the epoch is comes by
/// pointer, so that a recorded or captured step takes the next batch at each replay.

#include "uncial/kernels/kernel.h"

namespace uncial::kernels {

/// All samples, and the order of an epoch.
struct SampleTable {
  const uint8_t* images;            ///< (N, size)
  const int64_t *labels, *sources;  ///< (N); sources: what augmentation and dropout are keyed by
  const int64_t* order;             ///< which sample comes when
  const double* rates;              ///< learning rate of each step
  int64_t size;                     ///< pixels of a sample
};

/// Where an epoch is.
struct EpochPlace {
  int64_t sample, step;  ///< done so far
};

}  // namespace uncial::kernels

/// The next `count` samples: images as the byte / 255, labels and sources; and the rate of the step.
UNCIAL_KERNEL(take_batch, (kernels::SampleTable table, const kernels::EpochPlace* place, int64_t count,
                           T* images, int64_t* labels, int64_t* sources, double* rate))
/// sums[0] += loss * rows, sums[1] += rows whose first largest logit is the label; moves `place` behind the
/// batch.
UNCIAL_KERNEL(tally_batch, (Rows<const T> logits, const int64_t* labels, const T* loss, double* sums,
                            kernels::EpochPlace* place))
