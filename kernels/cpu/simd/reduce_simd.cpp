#include "reduce_simd.h"

namespace UNCIAL_SIMD {
namespace {

constexpr int kLanes = 16;

double sum(const float* x, int64_t size) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes)
    for (int k = 0; k < kLanes; ++k) lanes[k] += double(x[i + k]);
  for (int k = 0; i + k < size; ++k) lanes[k] += double(x[i + k]);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  return lanes[0];
}

void add_rows(const float* x, int64_t rows, int64_t stride, int64_t cols, double* sums) {
  int64_t r = 0;
  // Four rows a pass: the sums are loaded and stored a quarter as often.
  for (; r + 4 <= rows; r += 4) {
    const float *x0 = x + r * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
    for (int64_t i = 0; i < cols; ++i)
      sums[i] += (double(x0[i]) + double(x1[i])) + (double(x2[i]) + double(x3[i]));
  }
  for (; r < rows; ++r)
    for (int64_t i = 0; i < cols; ++i) sums[i] += double(x[r * stride + i]);
}

}  // namespace

const ReduceSimd reduce_simd = {sum, add_rows};

}  // namespace UNCIAL_SIMD
