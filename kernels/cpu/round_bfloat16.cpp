#include "uncial/kernels/round_bfloat16.h"

#include "simd/bfloat16_run.h"
#include "strided_loop.h"

namespace uncial::cpu {

template <>
void round_bfloat16<float>(const float* x, float* y, int64_t size) {
  parallel_blocks(size, kElementGrain, [&](int64_t begin, int64_t end) {
    bfloat16_simd().round(x + begin, 1.0f, y + begin, end - begin);
  });
}

}  // namespace uncial::cpu
