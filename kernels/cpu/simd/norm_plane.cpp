#include "norm_plane.h"

#include "run_sums.h"

namespace UNCIAL_SIMD {
namespace {

template <class T>
double sum(const T* x, int64_t n) {
  return run_sum<T>(
      n, [=](int64_t i) { return load(x + i); }, [=](int64_t i) { return x[i]; });
}

template <class T>
double squares(const T* x, T centre, int64_t n) {
  return run_sum<T>(
      n,
      [=](int64_t i) {
        const auto d = load(x + i) - centre;
        return d * d;
      },
      [=](int64_t i) { return (x[i] - centre) * (x[i] - centre); });
}

template <class T>
void affine(const T* x, T mean, T factor, T shift, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * factor + shift;
}

template <class T>
void gradient_sums(const T* dy, const T* x, T mean, int64_t n, double* sums) {
  sums[0] = sum(dy, n);
  sums[1] = run_sum<T>(
      n, [=](int64_t i) { return load(dy + i) * (load(x + i) - mean); },
      [=](int64_t i) { return dy[i] * (x[i] - mean); });
}

template <class T>
void gradient(const T* dy, const T* x, T mean, T dy_mean, T slope, T factor, T* dx, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dx[i] = (dy[i] - dy_mean - (x[i] - mean) * slope) * factor;
}

template <class T>
constexpr uncial::cpu::NormPlane<T> plane() {
  return {sum<T>, squares<T>, affine<T>, gradient_sums<T>, gradient<T>};
}

}  // namespace

extern const uncial::cpu::NormSimd norm_simd = {plane<float>(), plane<double>()};

}  // namespace UNCIAL_SIMD
