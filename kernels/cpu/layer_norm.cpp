#include "uncial/kernels/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "scratch.h"
#include "simd/layer_norm_row.h"
#include "simd/norm_plane.h"
#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

constexpr int64_t kGrain = 1 << 14;  // values of a task, at least
constexpr int64_t kChunk = 1 << 12;  // float lanes add up at most this many values before double takes over
/// Pieces of the batch whose sums for scale and shift are made apart, by its extents alone, so that the
/// number of threads cannot matter.
constexpr int64_t kMostPieces = 32;

int64_t rows_of_grain(const LayerNormExtents& e) {
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, e.D));
}

/// Sum of part(first, count) over chunks of a row.
template <class Part>
double over_chunks(int64_t D, const Part& part) {
  double sum = 0;
  for (int64_t i = 0; i < D; i += kChunk) sum += part(i, std::min(kChunk, D - i));
  return sum;
}

/// dx of a row; what it adds to dscale and dshift.
template <class T>
void backward_row(const T* dy, const T* x, const T* scale, T mean, T inverse, T* dx, double* dscale,
                  double* dshift, int64_t D) {
  double g = 0, g_x = 0;
  for (int64_t i = 0; i < D; i += kChunk) {
    double sums[2];
    layer_norm_row<T>().gradient_sums(dy + i, x + i, scale + i, mean, std::min(kChunk, D - i), sums);
    g += sums[0], g_x += sums[1];
  }
  const T g_mean = T(g / double(D)), slope = T(g_x * double(inverse) * double(inverse) / double(D));
  layer_norm_row<T>().gradient(dy, x, scale, mean, g_mean, slope, inverse, dx, D);
  layer_norm_row<T>().add_parameters(dy, x, mean, inverse, dscale, dshift, D);
}

}  // namespace

template <class T>
void layer_norm(const T* x, const T* scale, const T* shift, double epsilon, T* y, T* mean, T* inverse,
                LayerNormExtents e) {
  parallel_blocks(e.rows, rows_of_grain(e), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* row = x + r * e.D;
      const T centre =
          T(over_chunks(e.D, [&](int64_t i, int64_t n) { return norm_plane<T>().sum(row + i, n); }) /
            double(e.D));
      const double squares =
          over_chunks(e.D, [&](int64_t i, int64_t n) { return norm_plane<T>().squares(row + i, centre, n); });
      mean[r] = centre;
      inverse[r] = T(1 / std::sqrt(squares / double(e.D) + epsilon));
      layer_norm_row<T>().apply(row, centre, inverse[r], scale, shift, y + r * e.D, e.D);
    }
  });
}

template <class T>
void layer_norm_backward(const T* dy, const T* x, const T* scale, const T* mean, const T* inverse, T* dx,
                         T* dscale, T* dshift, LayerNormExtents e) {
  const int64_t pieces = std::clamp<int64_t>(ceil_div(e.rows, rows_of_grain(e)), 1, kMostPieces);
  auto* sums = scratch<double>(ScratchSlot::slots, pieces * 2 * e.D);
  parallel_blocks(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      double *scale_sums = sums + p * 2 * e.D, *shift_sums = scale_sums + e.D;
      std::fill_n(scale_sums, 2 * e.D, 0.0);
      for (int64_t r = p * e.rows / pieces; r < (p + 1) * e.rows / pieces; ++r)
        backward_row(dy + r * e.D, x + r * e.D, scale, mean[r], inverse[r], dx + r * e.D, scale_sums,
                     shift_sums, e.D);
    }
  });
  for (int64_t d = 0; d < e.D; ++d) {
    double of_scale = 0, of_shift = 0;
    for (int64_t p = 0; p < pieces; ++p) {
      of_scale += sums[p * 2 * e.D + d];
      of_shift += sums[p * 2 * e.D + e.D + d];
    }
    dscale[d] = T(of_scale), dshift[d] = T(of_shift);
  }
}

UNCIAL_INSTANTIATE_LAYER_NORM(float)
UNCIAL_INSTANTIATE_LAYER_NORM(double)

}  // namespace uncial::cpu
