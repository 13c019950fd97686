// Augmentations that leave every pixel in its place: normalising, noise and erasing.
#include <limits>

#include "vision/batch.h"

namespace uncial::vision {
namespace {

constexpr double kFloatMax = std::numeric_limits<float>::max(), kFloatMin = std::numeric_limits<float>::min();

class Normaliser final : public KernelTransform {
 public:
  explicit Normaliser(const NormaliseOptions& options) : KernelTransform("Normalise"), options_(options) {}
  void change(const ImageBatch& batch) const override {
    kernels::normalise_images<float>(batch.device, batch.images, float(options_.mean),
                                     float(options_.deviation));
  }
  std::string describe() const override {
    return join("normalise(mean=", options_.mean, ", deviation=", options_.deviation, ")");
  }

 private:
  NormaliseOptions options_;
};

class Noise final : public KernelTransform {
 public:
  explicit Noise(double deviation) : KernelTransform("RandomNoise"), deviation_(deviation) {}
  void change(const ImageBatch& batch) const override {
    if (deviation_ == 0) return;
    kernels::noise_images<float>(batch.device, batch.images, batch.indices, batch.stream(AugmentUse::noise),
                                 deviation_);
  }
  std::string describe() const override { return join("noise(deviation=", deviation_, ")"); }

 private:
  double deviation_;
};

class Eraser final : public KernelTransform {
 public:
  explicit Eraser(const EraseOptions& options) : KernelTransform("RandomErase"), options_(options) {}
  void change(const ImageBatch& batch) const override {
    const kernels::EraseRanges ranges{kernels::to_fixed(options_.probability, 32),
                                      kernels::to_fixed(options_.smallest, 32),
                                      kernels::to_fixed(options_.largest, 32)};
    kernels::erase_images<float>(batch.device, batch.images, batch.indices, batch.stream(AugmentUse::erase),
                                 ranges, float(options_.value));
  }
  std::string describe() const override {
    return join("erase(probability=", options_.probability, ", smallest=", options_.smallest,
                ", largest=", options_.largest, ", value=", options_.value, ")");
  }

 private:
  EraseOptions options_;
};

}  // namespace

Augment Normalise(const NormaliseOptions& options) {
  require_finite("Normalise", "mean", options.mean);
  require_range("Normalise", "deviation", options.deviation, kFloatMin, kFloatMax);
  return std::make_shared<Normaliser>(options);
}

Augment RandomNoise(double deviation) {
  require_range("RandomNoise", "deviation", deviation, 0, kFloatMax);
  return std::make_shared<Noise>(deviation);
}

Augment RandomErase(const EraseOptions& options) {
  require_range("RandomErase", "probability", options.probability, 0, 1);
  require_range("RandomErase", "smallest", options.smallest, 0, 1);
  require_range("RandomErase", "largest", options.largest, options.smallest, 1);
  require_finite("RandomErase", "value", options.value);
  return std::make_shared<Eraser>(options);
}

}  // namespace uncial::vision
