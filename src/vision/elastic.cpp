#include <cmath>
#include <mutex>

#include "vision/batch.h"

namespace uncial::vision {
namespace {

/// Gaussian of standard deviation `sigma` out to four of them, Q14, rounded down so that the sum stays in
/// bounds.
std::vector<int32_t> gaussian_weights(double sigma) {
  const int radius = int(std::ceil(4 * sigma));
  std::vector<double> exact;
  double sum = 0;
  for (int k = -radius; k <= radius; ++k) {
    exact.push_back(std::exp(-0.5 * k * k / (sigma * sigma)));
    sum += exact.back();
  }
  std::vector<int32_t> weights;
  for (double w : exact) weights.push_back(int32_t(w / sum * (1 << 14)));
  return weights;
}

class Elastic final : public KernelTransform {
 public:
  explicit Elastic(const ElasticOptions& options)
      : KernelTransform("ElasticDistortion"),
        options_(options),
        weights_(from_values(std::span<const int32_t>(gaussian_weights(options.sigma)),
                             {2 * int64_t(std::ceil(4 * options.sigma)) + 1})) {}

  void change(const ImageBatch& batch) const override {
    if (options_.alpha == 0) return;
    const kernels::ElasticField field{weights_on(batch.device), int32_t(weights_.size() / 2),
                                      kernels::to_fixed(options_.alpha, kernels::kPointBits)};
    kernels::elastic_images<float>(batch.device, batch.images, batch.indices,
                                   batch.stream(AugmentUse::elastic), field);
  }

  std::string describe() const override {
    return join("elastic(alpha=", options_.alpha, ", sigma=", options_.sigma, ")");
  }

 private:
  /// Copied there once: a captured step goes on reading them.
  const int32_t* weights_on(Device device) const {
    const std::lock_guard lock(mutex_);
    for (const Tensor& copy : copies_)
      if (copy.device() == device) return copy.view().as<const int32_t>();
    return copies_.emplace_back(weights_.to(device)).view().as<const int32_t>();
  }

  ElasticOptions options_;
  Tensor weights_;
  mutable std::mutex mutex_;
  mutable Tensors copies_;
};

}  // namespace

Augment ElasticDistortion(const ElasticOptions& options) {
  require_range("ElasticDistortion", "alpha", options.alpha, 0, 1000);
  require_range("ElasticDistortion", "sigma", options.sigma, 0.5, kernels::kMaxSmoothRadius / 4);
  return std::make_shared<Elastic>(options);
}

}  // namespace uncial::vision
