#include "uncial/kernels/rounding.h"

#include "simd/rounding_run.h"
#include "strided_loop.h"

namespace uncial::cpu {
namespace {

void round(RoundingSimd::Round run, const float* x, float* y, int64_t size) {
  parallel_blocks(size, kElementGrain,
                  [&](int64_t begin, int64_t end) { run(x + begin, 1.0f, y + begin, end - begin); });
}

}  // namespace

template <>
void round_bfloat16<float>(const float* x, float* y, int64_t size) {
  round(rounding_simd().bfloat16, x, y, size);
}
template <>
void round_float16<float>(const float* x, float* y, int64_t size) {
  round(rounding_simd().float16, x, y, size);
}

}  // namespace uncial::cpu
