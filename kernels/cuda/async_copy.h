#pragma once
/// @file async_copy.h
/// Copies into shared memory that run beside a thread's other work.

#include "body.h"

namespace uncial::cuda {

/// kBytes (4, 8 or 16, and aligned likewise) from global to shared memory: there after finish_copies() of the
/// thread that started it, and for the others after a phase behind that.
template <int kBytes>
UNCIAL_BODY void start_copy(void* to, const void* from) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const uint32_t shared = uint32_t(__cvta_generic_to_shared(to));
  if constexpr (kBytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared), "l"(from) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(shared), "l"(from), "n"(kBytes)
                 : "memory");
#else
  for (int i = 0; i < kBytes / 4; ++i) static_cast<uint32_t*>(to)[i] = static_cast<const uint32_t*>(from)[i];
#endif
}

UNCIAL_BODY inline void finish_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

}  // namespace uncial::cuda
