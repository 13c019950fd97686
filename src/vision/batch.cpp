#include "vision/batch.h"

#include <cmath>

namespace uncial::vision {
namespace {

kernels::Images<float> checked(std::string_view what, const Tensor& images,
                               const std::vector<int64_t>& indices) {
  require(images.defined() && images.rank() == 4 && images.dtype() == DType::float32, what,
          ": images must be (N, C, H, W) float32, got ",
          images.defined() ? join(images.shape(), " ", images.dtype()) : "an undefined tensor",
          "; add axes with x.unsqueeze(0), convert with x.to(DType::float32).");
  require(images.is_contiguous(), what, ": images must be row-major without gaps; pass x.contiguous().");
  const Shape& s = images.shape();
  require(s[2] <= kernels::kMaxImageSide && s[3] <= kernels::kMaxImageSide, what, ": images", s,
          " have a side longer than ", kernels::kMaxImageSide, " pixels.");
  require(int64_t(indices.size()) == s[0], what, ": got ", indices.size(), " indices for ", s[0], " images.");
  return {static_cast<float*>(images.view().data), s[0], s[1], s[2], s[3]};
}

}  // namespace

ImageBatch::ImageBatch(std::string_view what, const Tensor& images, const std::vector<int64_t>& indices)
    : images_(checked(what, images, indices)), device_(images.device()), indices_(indices.data()) {
  if (!device_.is_cpu()) {
    device_indices_ = from_values(std::span<const int64_t>(indices), {images_.N}).to(device_);
    indices_ = static_cast<const int64_t*>(device_indices_.view().data);
  }
  images.mark_changed();
}

kernels::AugmentStream stream_of(AugmentKey key, AugmentUse use) {
  require(key.position < kMaxParts, "augmentation: position ", key.position,
          " in a composition, expected less than ", kMaxParts, ".");
  return {key.seed, uint64_t(key.epoch), uint16_t(uint32_t(use) * kMaxParts + key.position)};
}

void require_range(std::string_view what, std::string_view field, double value, double low, double high) {
  require(value >= low && value <= high, what, ": ", field, " must be in [", low, ", ", high, "], got ",
          value, ".");
}

void require_finite(std::string_view what, std::string_view field, double value) {
  require(std::isfinite(value), what, ": ", field, " must be finite, got ", value, ".");
}

}  // namespace uncial::vision
