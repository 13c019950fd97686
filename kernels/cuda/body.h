#pragma once
/// @file body.h
/// Marks code that runs on the GPU and in the emulator, and what both move.

#include <cstdint>

#if defined(__CUDACC__)
#define UNCIAL_BODY __host__ __device__
#else
#define UNCIAL_BODY
#endif
#if defined(__CUDA_ARCH__)
#define UNCIAL_UNROLL _Pragma("unroll")
#define UNCIAL_UNROLL_2 _Pragma("unroll 2")
#else
#define UNCIAL_UNROLL
#define UNCIAL_UNROLL_2
#endif

namespace uncial::cuda {

/// The upper half of a float's bits.
using Bfloat16 = uint16_t;

inline constexpr int kWarp = 32;

/// What one memory access moves at most.
struct alignas(16) Vector16 {
  uint32_t words[4];
};

/// 32-bit words of a packed factor of 16x8 elements (warp.h).
inline constexpr int kPackedWords = 64;

}  // namespace uncial::cuda
