#include "elementwise_simd.h"

namespace UNCIAL_SIMD {
namespace {

template <class F>
void forward(F f, const float* x, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = f.forward(x[i]);
}

template <class F>
void backward(F f, const float* v, const float* dy, float* dx, int64_t size) {
  for (int64_t i = 0; i < size; ++i) dx[i] = dy[i] * f.derivative(v[i]);
}

}  // namespace

#define UNCIAL_ROW(name, Formula) {forward<formula::Formula>, backward<formula::Formula>},
const UnarySimd unary_simd = {UNCIAL_UNARY_OPS(UNCIAL_ROW)};
#undef UNCIAL_ROW

}  // namespace UNCIAL_SIMD
