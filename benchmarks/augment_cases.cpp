#include <numeric>

#include "kernel_case.h"
#include "uncial/kernels/augment.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

using kernels::SourcePoint;

const int64_t kDraw[] = {2, 1};
const kernels::AugmentStream kStream{kDraw, 3};
constexpr double kPixelFlops = 11;  // of a bilinear mix and its weights

kernels::AffineRanges ranges() {
  return {kernels::to_fixed(10.0 / 360, 32), kernels::to_fixed(0.1, 32), kernels::to_fixed(0.1, 32), 0};
}

/// The pixel at a place between pixels; zeros outside.
float sample(const float* plane, int64_t side, SourcePoint p) {
  const int64_t x = p.x >> kernels::kPointBits, y = p.y >> kernels::kPointBits;
  const auto at = [&](int64_t row, int64_t column) {
    return row < 0 || row >= side || column < 0 || column >= side ? 0.f : plane[row * side + column];
  };
  return kernels::bilinear(p, at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1));
}

void naive_affine(int64_t n, int64_t side, const float* from, float* to) {
  for (int64_t i = 0; i < n; ++i, from += side * side) {
    const auto a = kStream.block(i, 0), b = kStream.block(i, 1);
    const auto map = kernels::affine_map(ranges(), {a[0], a[1], a[2], a[3], b[0]}, side, side);
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x)
        *to++ = sample(from, side, kernels::affine_source(map, x, y, side, side));
  }
}

/// One pass of smoothing: values `step` apart, zeros beyond the ends of the line.
std::vector<int32_t> smoothed(const std::vector<int32_t>& field, int64_t side, bool along_rows,
                              const std::vector<int32_t>& weights) {
  const int64_t radius = int64_t(weights.size()) / 2;
  std::vector<int32_t> result(field.size());
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x) {
      int32_t sum = 0;
      for (int64_t k = -radius; k <= radius; ++k) {
        const int64_t row = along_rows ? y : y + k, column = along_rows ? x + k : x;
        if (row >= 0 && row < side && column >= 0 && column < side)
          sum += weights[size_t(k + radius)] * field[size_t(row * side + column)];
      }
      result[size_t(y * side + x)] = sum >> kernels::kSmoothShift;
    }
  return result;
}

void naive_elastic(int64_t n, int64_t side, int64_t amplitude, const std::vector<int32_t>& weights,
                   const float* from, float* to) {
  const int64_t size = side * side;
  for (int64_t i = 0; i < n; ++i, from += size) {
    std::vector<int32_t> dx(static_cast<size_t>(size)), dy = dx;
    for (int64_t k = 0; k < size; ++k) {
      const auto noise = kernels::elastic_noise(kStream.block(i, uint32_t(k / 4))[size_t(k % 4)]);
      dx[size_t(k)] = noise[0], dy[size_t(k)] = noise[1];
    }
    int32_t largest = 0;
    for (std::vector<int32_t>* field : {&dx, &dy}) {
      *field = smoothed(smoothed(*field, side, true, weights), side, false, weights);
      for (const int32_t v : *field) largest = std::max(largest, std::abs(v));
    }
    const int64_t scale = kernels::elastic_scale(amplitude, largest);
    for (int64_t k = 0; k < size; ++k)
      *to++ = sample(
          from, side,
          kernels::elastic_source(k % side, k / side, dx[size_t(k)], dy[size_t(k)], scale, side, side));
  }
}

/// `ours` changes images in place: it starts from a copy at the first run, and goes on from there.
void add_augmentation(const char* name, int64_t n, int64_t side, double flops_a_pixel,
                      std::function<void(const float*, float*)> naive,
                      std::function<void(kernels::Images<float>, const int64_t*)> ours) {
  const Shape shape = {n, 1, side, side};
  const Tensor x = rand(shape, 1), indices = arange(0, double(n));
  const double pixels = double(count(shape));
  add_case({.name = name,
            .flops = flops_a_pixel * pixels,
            .bytes = 8 * pixels,
            .tolerance = 0,
            .samples = double(n),
            .entries = {{"naive",
                         [=] {
                           const Tensor y = empty(shape);
                           return writing(y, [=] { naive(x.data<float>(), y.data<float>()); });
                         }},
                        {"uncial", [=] {
                           const Tensor y = x.clone();
                           return writing(y, [=] {
                             ours({y.data<float>(), n, 1, side, side}, indices.data<int64_t>());
                           });
                         }}}});
}

void add_affine(const char* name, int64_t n, int64_t side) {
  add_augmentation(
      name, n, side, kPixelFlops, [=](const float* x, float* y) { naive_affine(n, side, x, y); },
      [](kernels::Images<float> images, const int64_t* indices) {
        kernels::affine_images<float>(Device::cpu(), images, indices, kStream, ranges(), 0.f);
      });
}

void add_elastic(const char* name, int64_t n, int64_t side) {
  // a triangle of 25 weights: as wide as the Gaussian of the default distortion
  std::vector<int32_t> weights;
  for (int k = -12; k <= 12; ++k) weights.push_back((13 - std::abs(k)) * (1 << 14) / 169);
  const int64_t amplitude = kernels::to_fixed(2, kernels::kPointBits);
  add_augmentation(
      name, n, side, kPixelFlops + 8.0 * double(weights.size()),
      [=](const float* x, float* y) { naive_elastic(n, side, amplitude, weights, x, y); },
      [=](kernels::Images<float> images, const int64_t* indices) {
        kernels::elastic_images<float>(Device::cpu(), images, indices, kStream,
                                       kernels::ElasticField{weights.data(), 12, amplitude});
      });
}

}  // namespace

void add_augment_cases() {
  add_affine("affine/128_28", 128, 28);
  add_affine("affine/odd_37_19", 37, 19);
  add_elastic("elastic/128_28", 128, 28);
}

}  // namespace uncial::bench
