#include "uncial/kernels/dropout.h"

#include <algorithm>

#include "simd/dropout_row.h"
#include "uncial/core/parallel.h"

namespace uncial::cpu {

template <class T>
void dropout(Rows<const T> x, const int64_t* samples, const int64_t* state, uint32_t threshold, T scale,
             Rows<T> y) {
  const DropoutMask mask = DropoutMask::of(state, threshold);
  constexpr int64_t kGrain = 1 << 14;  // elements
  parallel_blocks(
      x.rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, x.cols)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const RandomStream stream = mask.row(samples[i]);
          dropout_row<T>()(x[i], y[i], x.cols, scale, mask.threshold,
                           {stream.key()[0], stream.key()[1], stream.first(), stream.a(), stream.b()});
        }
      });
}

template void dropout<float>(Rows<const float>, const int64_t*, const int64_t*, uint32_t, float, Rows<float>);
template void dropout<double>(Rows<const double>, const int64_t*, const int64_t*, uint32_t, double,
                              Rows<double>);

}  // namespace uncial::cpu
