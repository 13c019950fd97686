#include "uncial/kernels/softmax.h"

#include <algorithm>
#include <cmath>

#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

/// Calls body(offset) for the first element of each line along the middle axis.
template <class Body>
void for_lines(const SoftmaxExtents& e, const Body& body) {
  constexpr int64_t kGrain = 1 << 12;  // exponentials: some 20 us
  parallel_blocks(e.outer * e.inner, std::max<int64_t>(1, kGrain / e.classes),
                  [&](int64_t begin, int64_t end) {
                    for (int64_t line = begin; line < end; ++line)
                      body(line / e.inner * e.classes * e.inner + line % e.inner);
                  });
}

/// The largest element of a line. With it taken off, no exponential overflows and the largest is exactly 1.
template <class T>
T largest(const T* x, const SoftmaxExtents& e) {
  T m = x[0];
  for (int64_t k = 1; k < e.classes; ++k) m = std::max(m, x[k * e.inner]);
  return m;
}

}  // namespace

template <class T>
void softmax(const T* x, T* y, SoftmaxExtents e) {
  for_lines(e, [&](int64_t offset) {
    const T* in = x + offset;
    const T m = largest(in, e);
    T* out = y + offset;
    double sum = 0;
    for (int64_t i = 0; i < e.classes * e.inner; i += e.inner) sum += double(out[i] = std::exp(in[i] - m));
    for (int64_t i = 0; i < e.classes * e.inner; i += e.inner) out[i] = T(double(out[i]) / sum);
  });
}

template <class T>
void log_softmax(const T* x, T* y, SoftmaxExtents e) {
  for_lines(e, [&](int64_t offset) {
    const T* in = x + offset;
    const T m = largest(in, e);
    double sum = 0;
    for (int64_t i = 0; i < e.classes * e.inner; i += e.inner) sum += double(std::exp(in[i] - m));
    const T log_sum = T(std::log(sum));
    for (int64_t i = 0; i < e.classes * e.inner; i += e.inner) y[offset + i] = (in[i] - m) - log_sum;
  });
}

template void softmax<float>(const float*, float*, SoftmaxExtents);
template void softmax<double>(const double*, double*, SoftmaxExtents);
template void log_softmax<float>(const float*, float*, SoftmaxExtents);
template void log_softmax<double>(const double*, double*, SoftmaxExtents);

}  // namespace uncial::cpu
