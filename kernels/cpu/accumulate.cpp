#include "uncial/kernels/accumulate.h"

#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {
constexpr int64_t kGrain = 1 << 15;  // below this a second thread costs more than it saves
}

template <class T>
void accumulate(const T* a, const T* b, T* y, int64_t size) {
  parallel_blocks(size, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

template void accumulate<float>(const float*, const float*, float*, int64_t);
template void accumulate<double>(const double*, const double*, double*, int64_t);

}  // namespace uncial::cpu
