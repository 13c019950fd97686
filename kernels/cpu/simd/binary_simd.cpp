#include "elementwise_simd.h"

namespace UNCIAL_SIMD {
namespace {

template <class F>
void both(const float* a, const float* b, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = F::forward(a[i], b[i]);
}

template <class F>
void left_scalar(float a, const float* b, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = F::forward(a, b[i]);
}

template <class F>
void right_scalar(const float* a, float b, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = F::forward(a[i], b);
}

}  // namespace

#define UNCIAL_ROW(name, Formula) \
  {both<formula::Formula>, left_scalar<formula::Formula>, right_scalar<formula::Formula>},
const BinarySimd binary_simd = {UNCIAL_BINARY_OPS(UNCIAL_ROW)};
#undef UNCIAL_ROW

}  // namespace UNCIAL_SIMD
