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

void Transform::replay(const View&, const View&, const View&, uint32_t) const {
  fail(ErrorKind::usage, describe(), ": cannot be part of a recorded step.");
}

void KernelTransform::apply(const Tensor& images, const std::vector<int64_t>& indices, AugmentKey key) const {
  check(name_, images, indices);
  images.mark_changed();
  const Device device = images.device();
  Tensor numbers;  // keeps alive what a GPU reads
  const int64_t draw[] = {key.epoch, int64_t(key.seed)};
  ImageBatch batch{images_of(images.view()), device, indices.data(), draw, key.position};
  if (batch.empty()) return;
  if (!device.is_cpu()) {
    std::vector<int64_t> all = indices;
    all.insert(all.end(), std::begin(draw), std::end(draw));
    numbers = from_values(std::span<const int64_t>(all), {int64_t(all.size())}).to(device);
    batch.indices = numbers.view().as<const int64_t>();
    batch.draw = batch.indices + indices.size();
  }
  change(batch);
}

void KernelTransform::replay(const View& images, const View& indices, const View& draw,
                             uint32_t position) const {
  const ImageBatch batch{images_of(images), images.device, indices.as<const int64_t>(),
                         draw.as<const int64_t>(), position};
  if (!batch.empty()) change(batch);
}

kernels::AugmentStream stream_of(uint32_t position, AugmentUse use, const int64_t* draw) {
  require(position < kMaxParts, "augmentation: position ", position, " in a composition, expected less than ",
          kMaxParts, ".");
  return {draw, uint16_t(uint32_t(use) * kMaxParts + position)};
}

void require_range(std::string_view what, std::string_view field, double value, double low, double high) {
  require(value >= low && value <= high, what, ": ", field, " must be in [", low, ", ", high, "], got ",
          value, ".");
}

void require_finite(std::string_view what, std::string_view field, double value) {
  require(std::isfinite(value), what, ": ", field, " must be finite, got ", value, ".");
}

}  // namespace uncial::vision
