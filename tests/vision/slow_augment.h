#pragma once
/// The augmentations from their formulas, in double, pixel by pixel; nothing shared with the library's
/// arithmetic.

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/vision/augment.h"

namespace uncial::test {

/// augment->apply() to `images` on the CPU; on every GPU it must give the same bits.
inline void apply_everywhere(const vision::Augment& augment, const Tensor& images,
                             const std::vector<int64_t>& indices, vision::AugmentKey key) {
  const Tensor before = images.clone();
  augment->apply(images, indices, key);
  for_each_gpu([&](Device gpu) {
    const Tensor there = before.to(gpu);
    augment->apply(there, indices, key);
    CHECK(there.device() == gpu);
    CHECK(same_bits(there.to(Device::cpu()), images));
  });
}

/// A grey image in double.
struct Plane {
  int64_t H, W;
  std::vector<double> values;

  /// The value at a whole pixel, `fill` outside.
  double at(int64_t y, int64_t x, double fill) const {
    return y >= 0 && y < H && x >= 0 && x < W ? values[size_t(y * W + x)] : fill;
  }
  /// Bilinear between pixel centres.
  double sample(double y, double x, double fill) const {
    const double top = std::floor(y), left = std::floor(x), v = y - top, u = x - left;
    const int64_t i = int64_t(top), j = int64_t(left);
    return (1 - v) * ((1 - u) * at(i, j, fill) + u * at(i, j + 1, fill)) +
           v * ((1 - u) * at(i + 1, j, fill) + u * at(i + 1, j + 1, fill));
  }
};

/// One channel of one sample of (N, C, H, W) float32.
inline Plane plane_of(const Tensor& images, int64_t n, int64_t c = 0) {
  const int64_t C = images.size(1), H = images.size(2), W = images.size(3);
  const float* p = images.data<float>() + (n * C + c) * H * W;
  return {H, W, std::vector<double>(p, p + H * W)};
}

struct AffineValues {
  double degrees = 0, factor = 1, shift_x = 0, shift_y = 0, shear = 0;  // shifts as fractions of the side
};

/// Solves p = c + t + R K f (s - c) for s at every output pixel p.
inline Plane slow_affine(const Plane& image, const AffineValues& values, double fill) {
  const double radians = std::acos(-1.0) / 180, cos = std::cos(values.degrees * radians),
               sin = std::sin(values.degrees * radians), k = std::tan(values.shear * radians);
  // A = R K f, acting on (x, y)
  const double a = cos * values.factor, b = (sin - k * cos) * values.factor, c = -sin * values.factor,
               d = (cos + k * sin) * values.factor, determinant = a * d - b * c;
  const double cx = (double(image.W) - 1) / 2, cy = (double(image.H) - 1) / 2;
  Plane out = image;
  for (int64_t y = 0; y < image.H; ++y)
    for (int64_t x = 0; x < image.W; ++x) {
      const double px = double(x) - cx - values.shift_x * double(image.W);
      const double py = double(y) - cy - values.shift_y * double(image.H);
      out.values[size_t(y * image.W + x)] =
          image.sample(cy + (a * py - c * px) / determinant, cx + (d * px - b * py) / determinant, fill);
    }
  return out;
}

/// Gaussian smoothing out to `radius`, zeros outside.
inline Plane slow_gaussian(const Plane& image, double sigma, int64_t radius) {
  double sum = 0;
  for (int64_t k = -radius; k <= radius; ++k) sum += std::exp(-0.5 * double(k * k) / (sigma * sigma));
  Plane out = image;
  for (int64_t y = 0; y < image.H; ++y)
    for (int64_t x = 0; x < image.W; ++x) {
      double total = 0;
      for (int64_t i = -radius; i <= radius; ++i)
        for (int64_t j = -radius; j <= radius; ++j)
          total += std::exp(-0.5 * double(i * i + j * j) / (sigma * sigma)) * image.at(y + i, x + j, 0);
      out.values[size_t(y * image.W + x)] = total / (sum * sum);
    }
  return out;
}

}  // namespace uncial::test
