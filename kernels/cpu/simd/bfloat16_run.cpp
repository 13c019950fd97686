#include "bfloat16_run.h"

#include "uncial/kernels/bfloat16_formula.h"

namespace UNCIAL_SIMD {
namespace {

void round(const float* x, float scale, float* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = uncial::formula::rounded_to_bfloat16(scale * x[i]);
}

}  // namespace

extern const uncial::cpu::Bfloat16Simd bfloat16_simd = {round};

}  // namespace UNCIAL_SIMD
