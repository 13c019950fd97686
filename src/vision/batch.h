#pragma once
// What every Transform needs: checked arguments, in the form that kernels take.

#include <string_view>

#include "uncial/core/tensor.h"
#include "uncial/kernels/augment.h"
#include "uncial/vision/augment.h"

namespace uncial::vision {

/// Kinds of augmentation; the number is part of the random key, so it must not change between versions.
enum class AugmentUse : uint32_t { affine = 1, elastic, noise, erase };

/// Places in a composition that keys can tell apart: with the kind they make 16 bits.
inline constexpr uint32_t kMaxParts = 4096;

/// A batch as the kernels see it.
class ImageBatch {
 public:
  /// Checks both and counts the coming change in place. Throws a usage Error naming `what`.
  ImageBatch(std::string_view what, const Tensor& images, const std::vector<int64_t>& indices);

  bool empty() const { return images_.sample_size() == 0 || images_.N == 0; }
  Device device() const { return device_; }
  kernels::Images<float> images() const { return images_; }
  const int64_t* indices() const { return indices_; }

 private:
  kernels::Images<float> images_;
  Device device_;
  Tensor device_indices_;  // keeps the copy alive that a GPU reads
  const int64_t* indices_;
};

/// Throws a usage Error for a position that no key has room for.
kernels::AugmentStream stream_of(AugmentKey key, AugmentUse use);

/// Throws a usage Error naming both unless low <= value <= high (so also for NaN).
void require_range(std::string_view what, std::string_view field, double value, double low, double high);
/// Throws a usage Error naming both when `value` is NaN or infinite.
void require_finite(std::string_view what, std::string_view field, double value);

}  // namespace uncial::vision
