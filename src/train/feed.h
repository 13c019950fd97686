#pragma once
/// @file feed.h
/// A data set in the memory of a device, and its batches made there. Internal.

#include "uncial/data/loader.h"
#include "uncial/ops/elementwise.h"
#include "uncial/vision/augment.h"

namespace uncial::train {

/// Batches are made by operators that read where the epoch is from tensors: a recorded step takes the next
/// one at each replay, and the host waits for nothing between the steps of an epoch.
class Feed {
 public:
  /// Copies the samples to `device`. `augment` (may be null) must be replayable().
  Feed(const data::Dataset& data, Device device, vision::Augment augment = nullptr);
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// True when `device` has room for the samples beside what a step needs.
  static bool fits(const data::Dataset& data, Device device);

  /// Sums over samples: of losses, and of right answers.
  struct Sums {
    double loss = 0;
    int64_t correct = 0;
  };
  /// An epoch, or the rest of one.
  struct Epoch {
    int64_t number = 0;  ///< keys augmentation, as the seed does
    uint64_t seed = 0;
    std::vector<int64_t> order;       ///< positions in the data set
    std::vector<double> rates = {0};  ///< of all steps
    int64_t first_sample = 0, first_step = 0;
    Sums sums = {};
  };
  void start(const Epoch& epoch);

  /// Operators. The next `count` samples, augmented, in the order of the epoch, on the device; `rate`
  /// (float64 scalar) becomes that of the step.
  data::Batch take(int64_t count, const Tensor& rate);
  /// Adds the batch's loss and right answers to the sums, and goes on to the next batch.
  void tally(const Tensor& logits, const Tensor& labels, const Tensor& loss);

  /// Goes on by {samples, steps} without a tally.
  void move(const Tensor& by) { place_.copy_(place_ + by); }

  /// Of the epoch so far; waits for the device.
  Sums sums() const;
  int64_t size() const { return labels_.size(); }

 private:
  /// Numbers of an epoch that begin at word `first` of plan_, which goes to the device in one copy.
  Tensor window(DType dtype, const Shape& shape, int64_t first) const;

  vision::Augment augment_;
  Tensor images_, labels_, sources_;
  Tensor plan_;  ///< sums (2), place (2), draw (2), order (N), rates
  Tensor sums_, place_, draw_, order_, rates_;
};

}  // namespace uncial::train
