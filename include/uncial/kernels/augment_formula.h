#pragma once
/// @file augment_formula.h
/// Per-sample formulas of elastic distortion and erasing, in integers like those of affine_formula.h.

#include <array>

#include "uncial/kernels/affine_formula.h"

namespace uncial::kernels {

/// Elastic distortion: noise in [-2^15, 2^15) is smoothed along x and along y by Gaussian weights in Q14
/// whose sum is at most 2^14 + radius; dropping kSmoothShift bits after each pass keeps every sum inside
/// int32_t.
inline constexpr int kSmoothShift = 13;
/// Longest half-width of the Gaussian.
inline constexpr int32_t kMaxSmoothRadius = 128;

/// The two displacements (x, y) that one random word stands for.
UNCIAL_HD constexpr std::array<int32_t, 2> elastic_noise(uint32_t word) {
  return {int32_t(word >> 16) - 32768, int32_t(word & 0xffff) - 32768};
}

/// Q24 factor that brings the field's largest component to `amplitude` (Q14 pixels).
UNCIAL_HD constexpr int64_t elastic_scale(int64_t amplitude, int32_t largest) {
  return largest == 0 ? 0 : (amplitude << 24) / largest;
}

/// Source of output pixel (x, y) under the smoothed field (fx, fy).
UNCIAL_HD constexpr SourcePoint elastic_source(int64_t x, int64_t y, int32_t fx, int32_t fy, int64_t scale,
                                               int64_t H, int64_t W) {
  return {clamp_point((x << kPointBits) + (fx * scale >> 24), W),
          clamp_point((y << kPointBits) + (fy * scale >> 24), H)};
}

/// What RandomErase draws from. probability and areas are Q32; 0 <= smallest <= largest <= 1.
struct EraseRanges {
  int64_t probability, smallest, largest;
};

struct EraseBox {
  int64_t top = 0, left = 0, height = 0, width = 0;  ///< height 0: nothing is erased
};

/// The box of one sample. Side ratio in [0.3, 1/0.3] as in the paper, unless the box is then higher or wider
/// than the image: it keeps its area and is squeezed in. words: two blocks of four.
UNCIAL_HD inline EraseBox erase_box(const EraseRanges& ranges, const std::array<uint32_t, 4>& a,
                                    const std::array<uint32_t, 4>& b, int64_t H, int64_t W) {
  if (int64_t(a[0]) >= ranges.probability || H * W == 0) return {};
  const int64_t fraction = ranges.smallest + ((ranges.largest - ranges.smallest) * int64_t(a[1] >> 1) >> 31);
  const double area = double(H * W) * (double(fraction) * 0x1p-32);
  const double ratio = double(19661 + draw_below(45875, a[2])) * 0x1p-16;  // 0.3 .. 1
  int64_t height = int64_t(std::sqrt(area * ratio) + 0.5), width = int64_t(std::sqrt(area / ratio) + 0.5);
  if (a[3] & 1) {
    const int64_t swapped = height;
    height = width, width = swapped;
  }
  if (height > H) height = H, width = int64_t(area / double(H) + 0.5);
  if (width > W) width = W, height = int64_t(area / double(W) + 0.5);
  if (height > H) height = H;
  if (height < 1) height = 1;
  if (width < 1) width = 1;
  return {draw_below(H - height + 1, b[0]), draw_below(W - width + 1, b[1]), height, width};
}

}  // namespace uncial::kernels
