// Sums run in two vectors of lanes, which the fixed tree of lane_sum() adds up; a plane of a picture has at
// most some thousand values, so float lanes lose little, and the caller adds planes in double.

#include "norm_plane.h"

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

/// Sum of term(i) over [0, n): vector_term(i) gives the terms i ... i + count - 1, term(i) one.
template <class T, class VectorTerm, class Term>
[[gnu::always_inline]] inline double sum_of(int64_t n, const VectorTerm& vector_term, const Term& term) {
  constexpr int lanes = Lanes<T>::count;
  typename Lanes<T>::V first = {}, second = {};
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    first += vector_term(i);
    second += vector_term(i + lanes);
  }
  for (; i + lanes <= n; i += lanes) first += vector_term(i);
  double total = double(lane_sum<T>(first + second));
  for (; i < n; ++i) total += double(term(i));
  return total;
}

template <class T>
double sum(const T* x, int64_t n) {
  return sum_of<T>(
      n, [=](int64_t i) { return load(x + i); }, [=](int64_t i) { return x[i]; });
}

template <class T>
double squares(const T* x, T centre, int64_t n) {
  return sum_of<T>(
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
  sums[1] = sum_of<T>(
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
