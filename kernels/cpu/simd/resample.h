#pragma once
/// @file resample.h
/// Where the pixels of a resampled image come from and their bilinear mix, a vector of pixels at a time: bit
/// for bit what affine_source() and bilinear() of uncial/kernels/affine_formula.h say.

#include <cstdint>

#include "isa.h"

namespace uncial::cpu {

/// Where output pixel (column, row) comes from: (x0 + xx column + xy row, y0 + yx column + yy row), Q24.
struct AffineSource {
  int64_t x0, xx, xy, y0, yx, yy;
};

/// Source points in a plane with a rim, one pixel wide on the left and at the top and two on the right and at
/// the bottom: the offset of the upper left one of four pixels, and how far right of it and below it, Q14.
struct SourcePlaces {
  int32_t *corner, *right, *below;
};

constexpr int64_t kResampleSlack = 7;

struct ResampleSimd {
  /// Sources of the pixels of an H x W image, row after row, clamped to [-1, W] and [-1, H]; `stride` floats
  /// from row to row of the plane. Whole vectors are written: `to` has room for kResampleSlack more.
  void (*affine_places)(const AffineSource& source, int64_t H, int64_t W, int64_t stride, SourcePlaces to);
  /// out[i] = the mix at place i.
  void (*sample)(const float* plane, int64_t stride, SourcePlaces at, int64_t n, float* out);
};

UNCIAL_SIMD_FAMILY(ResampleSimd, resample_simd)

}  // namespace uncial::cpu
