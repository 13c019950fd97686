// Augmentations that leave every pixel in its place: normalising, noise and erasing.
#include <limits>

#include "vision/batch.h"

namespace uncial::vision {
namespace {

constexpr double kFloatMax = std::numeric_limits<float>::max(), kFloatMin = std::numeric_limits<float>::min();

class Normaliser final : public Transform {
 public:
  explicit Normaliser(const NormaliseOptions& options) : options_(options) {}
  void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey) const override {
    const ImageBatch batch("Normalise", images, indices);
    if (batch.empty()) return;
    kernels::normalise_images<float>(batch.device(), batch.images(), float(options_.mean),
                                     float(options_.deviation));
  }
  std::string describe() const override {
    return join("normalise(mean=", options_.mean, ", deviation=", options_.deviation, ")");
  }

 private:
  NormaliseOptions options_;
};

class Noise final : public Transform {
 public:
  explicit Noise(double deviation) : deviation_(deviation) {}
  void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const override {
    const ImageBatch batch("RandomNoise", images, indices);
    if (batch.empty() || deviation_ == 0) return;
    kernels::noise_images<float>(batch.device(), batch.images(), batch.indices(),
                                 stream_of(key, AugmentUse::noise), deviation_);
  }
  std::string describe() const override { return join("noise(deviation=", deviation_, ")"); }

 private:
  double deviation_;
};

class Eraser final : public Transform {
 public:
  explicit Eraser(const EraseOptions& options) : options_(options) {}
  void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const override {
    const ImageBatch batch("RandomErase", images, indices);
    if (batch.empty()) return;
    const kernels::EraseRanges ranges{kernels::to_fixed(options_.probability, 32),
                                      kernels::to_fixed(options_.smallest, 32),
                                      kernels::to_fixed(options_.largest, 32)};
    kernels::erase_images<float>(batch.device(), batch.images(), batch.indices(),
                                 stream_of(key, AugmentUse::erase), ranges, float(options_.value));
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
