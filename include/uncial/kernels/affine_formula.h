#pragma once
/// @file affine_formula.h
/// Where a pixel of a rotated, zoomed, shifted and sheared image comes from, and how four neighbours are
/// mixed. Integers throughout, so that the CPU and the GPU give equal pixels.

#include <array>

#include "uncial/kernels/fixed_math.h"

namespace uncial::kernels {

/// Longest side of an image that the formulas take without overflow.
inline constexpr int64_t kMaxImageSide = 32768;

/// Half-widths of the five uniform draws, Q32. Preconditions (the caller's checks; overflow otherwise):
/// rotation <= 1/2 turn, zoom <= 0.9, shift <= 1, shear <= 80/360 turn.
struct AffineRanges {
  int64_t rotation, zoom, shift, shear;
};

/// Inverse map: output pixel (x, y) shows the source at (x0 + xx x + xy y, y0 + yx x + yy y). All Q24.
struct AffineMap {
  int64_t xx, xy, yx, yy, x0, y0;
};

/// A place in the source, Q14 pixels: between (-1, -1) and (W, H), where the fill value begins.
struct SourcePoint {
  int32_t x, y;
};
inline constexpr int kPointBits = 14;

/// The map of one sample. Forward, about the image's centre c = ((W-1)/2, (H-1)/2), y pointing down:
///   p = c + t + R K f (s - c),   R = [cos sin; -sin cos] (counter-clockwise as seen),
///   K = [1 -k; 0 1] with k = tan(shear) (the top leans to the right),  f = zoom factor,  t = shift.
/// words: uniform draws for rotation, zoom, shift in x, shift in y, shear.
UNCIAL_HD constexpr AffineMap affine_map(const AffineRanges& ranges, const std::array<uint32_t, 5>& words,
                                         int64_t H, int64_t W) {
  const SinCos r = sincos_turns(uint32_t(symmetric_draw(ranges.rotation, words[0])));
  const SinCos shear = sincos_turns(uint32_t(symmetric_draw(ranges.shear, words[4])));
  const int64_t k = shear.sin * kOneQ30 / shear.cos;
  const int64_t factor = kOneQ30 + (symmetric_draw(ranges.zoom, words[1]) >> 2);
  AffineMap m{};
  m.xx = (r.cos + multiply_q30(k, r.sin)) * (1 << 24) / factor;
  m.xy = (-r.sin + multiply_q30(k, r.cos)) * (1 << 24) / factor;
  m.yx = r.sin * (1 << 24) / factor;
  m.yy = r.cos * (1 << 24) / factor;
  const int64_t cx = (W - 1) << 15, cy = (H - 1) << 15;                         // Q16
  const int64_t ux = -cx - (symmetric_draw(ranges.shift, words[2]) * W >> 16);  // pixel (0, 0) seen from
  const int64_t uy = -cy - (symmetric_draw(ranges.shift, words[3]) * H >> 16);  // the shifted centre
  m.x0 = (cx << 8) + ((m.xx * ux + m.xy * uy) >> 16);
  m.y0 = (cy << 8) + ((m.yx * ux + m.yy * uy) >> 16);
  return m;
}

/// A Q14 coordinate kept where the image or its rim of fill is: [-1, side].
UNCIAL_HD constexpr int32_t clamp_point(int64_t q14, int64_t side) {
  const int64_t low = -(1 << kPointBits), high = side << kPointBits;
  return int32_t(q14 < low ? low : q14 > high ? high : q14);
}

/// The source of output pixel (x, y).
UNCIAL_HD constexpr SourcePoint affine_source(const AffineMap& m, int64_t x, int64_t y, int64_t H,
                                              int64_t W) {
  constexpr int kShift = 24 - kPointBits, kHalf = 1 << (kShift - 1);
  return {clamp_point((m.x0 + m.xx * x + m.xy * y + kHalf) >> kShift, W),
          clamp_point((m.y0 + m.yx * x + m.yy * y + kHalf) >> kShift, H)};
}

/// An AffineMap in 32 bits, which a GPU multiplies several times as fast.
struct NarrowAffineMap {
  uint32_t xx, xy, yx, yy, x0, y0;
  NarrowAffineMap() = default;
  UNCIAL_HD constexpr explicit NarrowAffineMap(const AffineMap& m)
      : xx(uint32_t(m.xx)),
        xy(uint32_t(m.xy)),
        yx(uint32_t(m.yx)),
        yy(uint32_t(m.yy)),
        x0(uint32_t(m.x0)),
        y0(uint32_t(m.y0)) {}
};

/// Whether all sources of an image fit 32 bits: at its corners, and so everywhere, because the map is linear.
UNCIAL_HD constexpr bool fits_narrow(const AffineMap& m, int64_t H, int64_t W) {
  constexpr int64_t kLimit = (int64_t(1) << 31) - (1 << 24);
  bool fits = true;
  for (int64_t x = 0; x < 2 * W; x += W)
    for (int64_t y = 0; y < 2 * H; y += H) {
      const int64_t sx = m.x0 + m.xx * x + m.xy * y, sy = m.y0 + m.yx * x + m.yy * y;
      fits = fits && -kLimit < sx && sx < kLimit && -kLimit < sy && sy < kLimit;
    }
  return fits;
}

/// The same source; exact where fits_narrow(), because sums that wrap on their way come back.
UNCIAL_HD constexpr SourcePoint affine_source(const NarrowAffineMap& m, int32_t x, int32_t y, int32_t H,
                                              int32_t W) {
  constexpr int kShift = 24 - kPointBits, kHalf = 1 << (kShift - 1), kLow = -(1 << kPointBits);
  const int32_t sx = int32_t(m.x0 + m.xx * uint32_t(x) + m.xy * uint32_t(y) + kHalf) >> kShift,
                sy = int32_t(m.y0 + m.yx * uint32_t(x) + m.yy * uint32_t(y) + kHalf) >> kShift;
  const int32_t right = W << kPointBits, low = H << kPointBits;
  return {sx < kLow ? kLow : sx > right ? right : sx, sy < kLow ? kLow : sy > low ? low : sy};
}

/// A number of up to 32 bits in double. A GPU converts integers slowly, and adds fast.
UNCIAL_HD constexpr double double_of(uint32_t x) {
#if defined(__CUDA_ARCH__)
  return __hiloint2double(0x43300000, int(x)) - 0x1p52;
#else
  return x;
#endif
}

/// Bilinear mix of the four pixels around `point`: a b above, c d below; floats, as such or in double. Each
/// product of a float with a 28-bit weight is exact in double, so fusing it into the sum (FMA contraction)
/// changes no bit.
template <class Pixel>
UNCIAL_HD constexpr float bilinear(SourcePoint point, Pixel a, Pixel b, Pixel c, Pixel d) {
  constexpr int32_t kOne = 1 << kPointBits;
  const double u = double_of(uint32_t(point.x & (kOne - 1))), v = double_of(uint32_t(point.y & (kOne - 1)));
  const double wd = u * v, wc = v * kOne - wd, wb = u * kOne - wd, wa = double(kOne) * kOne - u * kOne - wc;
  const double above = wa * double(a) + wb * double(b), below = wc * double(c) + wd * double(d);
  return float((above + below) * 0x1p-28);
}

}  // namespace uncial::kernels
