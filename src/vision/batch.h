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

/// A batch as the kernels see it: everything in the images' memory.
struct ImageBatch {
  kernels::Images<float> images;
  Device device;
  const int64_t *indices, *draw;  ///< draw: epoch and seed
  uint32_t position;

  bool empty() const { return images.sample_size() == 0 || images.N == 0; }
  kernels::AugmentStream stream(AugmentUse use) const;
};

/// The words of a use at a position (AugmentKey) for the epoch and the seed that lie at `draw`. Throws a
/// usage Error for a position that no key has room for.
kernels::AugmentStream stream_of(uint32_t position, AugmentUse use, const int64_t* draw);
inline kernels::AugmentStream ImageBatch::stream(AugmentUse use) const {
  return stream_of(position, use, draw);
}

/// A transform that runs wherever the images are.
class KernelTransform : public Transform {
 public:
  explicit KernelTransform(std::string_view name) : name_(name) {}
  void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const final;
  bool replayable() const final { return true; }
  void replay(const View& images, const View& indices, const View& draw, uint32_t position) const final;

 private:
  /// Of a batch that is not empty.
  virtual void change(const ImageBatch& batch) const = 0;
  std::string_view name_;
};

/// Throws a usage Error naming both unless low <= value <= high (so also for NaN).
void require_range(std::string_view what, std::string_view field, double value, double low, double high);
/// Throws a usage Error naming both when `value` is NaN or infinite.
void require_finite(std::string_view what, std::string_view field, double value);

}  // namespace uncial::vision
