#pragma once
/// @file few_bits.h
/// What a product sees of a factor of which 11 bits will do (Gemm::few_bits, ConvExtents::few_bits).

#include "body.h"
#include "uncial/kernels/math.h"

namespace uncial::cuda {

/// On a GPU cuBLAS and cuDNN decide, and kernels of ours take all of x. The emulator, which has only those,
/// rounds as tensor cores do (TensorFloat-32), so that it shows who asked for it.
template <class T>
UNCIAL_BODY T seen_factor(T x, [[maybe_unused]] bool few_bits) {
#if defined(UNCIAL_CUDA_EMULATED)
  if constexpr (sizeof(T) == 4)
    if (const uint32_t bits = math::to_bits(x); few_bits && (bits & 0x7f800000u) != 0x7f800000u)
      return math::from_bits((bits + 0x1000u) & 0xffffe000u);
#endif
  return x;
}

}  // namespace uncial::cuda
