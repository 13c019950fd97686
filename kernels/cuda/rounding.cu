#include "uncial/kernels/rounding.h"

#include "grid.h"
#include "uncial/kernels/bfloat16_formula.h"
#include "uncial/kernels/float16_formula.h"

namespace uncial::cuda {

template <class T>
void round_bfloat16(const T* x, T* y, int64_t size) {
  each(
      size, [=] UNCIAL_BODY(int64_t i) { y[i] = formula::rounded_to_bfloat16(x[i]); }, "round_bfloat16");
}
template <class T>
void round_float16(const T* x, T* y, int64_t size) {
  each(
      size, [=] UNCIAL_BODY(int64_t i) { y[i] = formula::rounded_to_float16(x[i]); }, "round_float16");
}

template void round_bfloat16<float>(const float*, float*, int64_t);
template void round_float16<float>(const float*, float*, int64_t);

}  // namespace uncial::cuda
