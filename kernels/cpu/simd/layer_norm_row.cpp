#include "layer_norm_row.h"

#include "run_sums.h"

namespace UNCIAL_SIMD {
namespace {

template <class T>
void apply(const T* x, T mean, T inverse, const T* scale, const T* shift, T* y, int64_t D) {
  for (int64_t i = 0; i < D; ++i) y[i] = (x[i] - mean) * inverse * scale[i] + shift[i];
}

template <class T>
void gradient_sums(const T* dy, const T* x, const T* scale, T mean, int64_t D, double* sums) {
  sums[0] = run_sum<T>(
      D, [=](int64_t i) { return load(dy + i) * load(scale + i); },
      [=](int64_t i) { return dy[i] * scale[i]; });
  sums[1] = run_sum<T>(
      D, [=](int64_t i) { return load(dy + i) * load(scale + i) * (load(x + i) - mean); },
      [=](int64_t i) { return dy[i] * scale[i] * (x[i] - mean); });
}

template <class T>
void gradient(const T* dy, const T* x, const T* scale, T mean, T g_mean, T slope, T inverse, T* dx,
              int64_t D) {
  for (int64_t i = 0; i < D; ++i) dx[i] = (dy[i] * scale[i] - g_mean - (x[i] - mean) * slope) * inverse;
}

template <class T>
void add_parameters(const T* dy, const T* x, T mean, T inverse, double* dscale, double* dshift, int64_t D) {
  for (int64_t i = 0; i < D; ++i) {
    dscale[i] += double(dy[i] * ((x[i] - mean) * inverse));
    dshift[i] += double(dy[i]);
  }
}

template <class T>
constexpr uncial::cpu::LayerNormRow<T> row() {
  return {apply<T>, gradient_sums<T>, gradient<T>, add_parameters<T>};
}

}  // namespace

extern const uncial::cpu::LayerNormSimd layer_norm_simd = {row<float>(), row<double>()};

}  // namespace UNCIAL_SIMD
