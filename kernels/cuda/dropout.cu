#include "uncial/kernels/dropout.h"

#include "grid.h"

namespace uncial::cuda {

/// A thread draws one block of four words and masks their four places.
template <class T>
void dropout(Rows<const T> x, const int64_t* samples, const int64_t* state, uint32_t threshold, T scale,
             Rows<T> y) {
  const int64_t blocks = ceil_div(x.cols, 4);
  each(
      x.rows * blocks,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t row = i / blocks, first = i % blocks * 4;
        const auto words = DropoutMask::of(state, threshold).row(samples[row]).block(uint64_t(first / 4));
        for (int64_t j = 0; j < 4 && first + j < x.cols; ++j) {
          const int64_t at = row * x.cols + first + j;
          y.data[at] = words[size_t(j)] < threshold ? T(0) : x.data[at] * scale;
        }
      },
      "dropout");
}

template void dropout<float>(Rows<const float>, const int64_t*, const int64_t*, uint32_t, float, Rows<float>);
template void dropout<double>(Rows<const double>, const int64_t*, const int64_t*, uint32_t, double,
                              Rows<double>);

}  // namespace uncial::cuda
