#include <cmath>

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

class Elastic final : public Transform {
 public:
  explicit Elastic(const ElasticOptions& options)
      : options_(options),
        weights_(from_values(std::span<const int32_t>(gaussian_weights(options.sigma)),
                             {2 * int64_t(std::ceil(4 * options.sigma)) + 1})) {}

  void apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const override {
    const ImageBatch batch("ElasticDistortion", images, indices);
    if (batch.empty() || options_.alpha == 0) return;
    const Tensor weights = weights_.to(batch.device());
    const kernels::ElasticField field{static_cast<const int32_t*>(weights.view().data),
                                      int32_t(weights.size() / 2),
                                      kernels::to_fixed(options_.alpha, kernels::kPointBits)};
    kernels::elastic_images<float>(batch.device(), batch.images(), batch.indices(),
                                   stream_of(key, AugmentUse::elastic), field);
  }

  std::string describe() const override {
    return join("elastic(alpha=", options_.alpha, ", sigma=", options_.sigma, ")");
  }

 private:
  ElasticOptions options_;
  Tensor weights_;
};

}  // namespace

Augment ElasticDistortion(const ElasticOptions& options) {
  require_range("ElasticDistortion", "alpha", options.alpha, 0, 1000);
  require_range("ElasticDistortion", "sigma", options.sigma, 0.5, kernels::kMaxSmoothRadius / 4);
  return std::make_shared<Elastic>(options);
}

}  // namespace uncial::vision
