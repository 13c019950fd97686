#include "uncial/kernels/accumulate.h"

#include "grid.h"

namespace uncial::cuda {

template <class T>
void accumulate(const T* a, const T* b, T* y, int64_t size) {
  each(
      size, [=] UNCIAL_BODY(int64_t i) { y[i] = a[i] + b[i]; }, "accumulate");
}

template void accumulate<float>(const float*, const float*, float*, int64_t);
template void accumulate<double>(const double*, const double*, double*, int64_t);

}  // namespace uncial::cuda
