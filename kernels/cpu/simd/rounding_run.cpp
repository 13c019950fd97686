#include "rounding_run.h"

#include "uncial/kernels/bfloat16_formula.h"
#include "uncial/kernels/float16_formula.h"

namespace UNCIAL_SIMD {
namespace {

void bfloat16(const float* x, float scale, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = uncial::formula::rounded_to_bfloat16(scale * x[i]);
}
void float16(const float* x, float scale, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = uncial::formula::rounded_to_float16(scale * x[i]);
}

}  // namespace

extern const uncial::cpu::RoundingSimd rounding_simd = {bfloat16, float16};

}  // namespace UNCIAL_SIMD
