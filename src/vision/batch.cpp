#include "vision/batch.h"

#include <cmath>

namespace uncial::vision {
namespace {

void check(std::string_view what, const Tensor& images, const std::vector<int64_t>& indices) {
  require(images.defined() && images.rank() == 4 && images.dtype() == DType::float32, what,
          ": images must be (N, C, H, W) float32, got ",
          images.defined() ? join(images.shape(), " ", images.dtype()) : "an undefined tensor",
          "; add axes with x.unsqueeze(0), convert with x.to(DType::float32).");
  require(images.is_contiguous(), what, ": images must be row-major without gaps; pass x.contiguous().");
  const Shape& s = images.shape();
  require(s[2] <= kernels::kMaxImageSide && s[3] <= kernels::kMaxImageSide, what, ": images", s,
          " have a side longer than ", kernels::kMaxImageSide, " pixels.");
  require(int64_t(indices.size()) == s[0], what, ": got ", indices.size(), " indices for ", s[0], " images.");
}

kernels::Images<float> images_of(const View& v) {
  return {static_cast<float*>(v.data), v.shape[0], v.shape[1], v.shape[2], v.shape[3]};
}

}  // namespace

void Transform::replay(const View&, const View&, const View&, AugmentKey) const {
  fail(ErrorKind::usage, describe(), ": cannot be part of a recorded step.");
}

void KernelTransform::apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const {
  check(name_, images, indices);
  images.mark_changed();
  const Device device = images.device();
  Tensor numbers;  // keeps alive what a GPU reads
  ImageBatch batch{images_of(images.view()), device, indices.data(), &key.epoch, key};
  if (batch.empty()) return;
  if (!device.is_cpu()) {
    std::vector<int64_t> all = indices;
    all.push_back(key.epoch);
    numbers = from_values(std::span<const int64_t>(all), {int64_t(all.size())}).to(device);
    batch.indices = numbers.view().as<const int64_t>();
    batch.epoch = batch.indices + indices.size();
  }
  change(batch);
}

void KernelTransform::replay(const View& images, const View& indices, const View& epoch,
                             AugmentKey key) const {
  const ImageBatch batch{images_of(images), images.device, indices.as<const int64_t>(),
                         epoch.as<const int64_t>(), key};
  if (!batch.empty()) change(batch);
}

kernels::AugmentStream stream_of(const AugmentKey& key, AugmentUse use, const int64_t* epoch) {
  require(key.position < kMaxParts, "augmentation: position ", key.position,
          " in a composition, expected less than ", kMaxParts, ".");
  return {key.seed, epoch, uint16_t(uint32_t(use) * kMaxParts + key.position)};
}

void require_range(std::string_view what, std::string_view field, double value, double low, double high) {
  require(value >= low && value <= high, what, ": ", field, " must be in [", low, ", ", high, "], got ",
          value, ".");
}

void require_finite(std::string_view what, std::string_view field, double value) {
  require(std::isfinite(value), what, ": ", field, " must be finite, got ", value, ".");
}

}  // namespace uncial::vision
