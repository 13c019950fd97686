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

inline constexpr int kWarp = 32;

/// What one memory access moves at most.
struct alignas(16) Vector16 {
  uint32_t words[4];
};

/// As many floats.
struct alignas(16) Float4 {
  float v[4];
};

/// *to = value in one access of global memory; nvcc takes an assignment apart when values come from
/// arithmetic.
template <class V>
UNCIAL_BODY inline void store_whole(void* to, const V& value) {
  static_assert(sizeof(V) == sizeof(Vector16));
#if defined(__CUDA_ARCH__)
  Vector16 bits;
  memcpy(&bits, &value, sizeof bits);
  asm volatile("st.global.v4.b32 [%0], {%1,%2,%3,%4};" ::"l"(__cvta_generic_to_global(to)),
               "r"(bits.words[0]), "r"(bits.words[1]), "r"(bits.words[2]), "r"(bits.words[3])
               : "memory");
#else
  *static_cast<V*>(to) = value;
#endif
}

/// Division by a number that is known before a kernel starts: a multiplication.
/// Exact while numerator * divisor < 2^32.
struct Divider {
  uint32_t divisor = 1, magic = 0;
  Divider() = default;
  explicit Divider(int64_t d)
      : divisor(uint32_t(d)), magic(d == 1 ? 0 : uint32_t((int64_t(1) << 32) / d + 1)) {}
  UNCIAL_BODY int quotient(int x) const {
    return divisor == 1 ? x : int(uint32_t(uint64_t(uint32_t(x)) * magic >> 32));
  }
  UNCIAL_BODY int remainder(int x, int quotient) const { return x - quotient * int(divisor); }
};

/// The same for numbers of any size below `limit`: a division where the multiplication would not be exact.
struct IndexDivider {
  int64_t divisor = 1;
  Divider fast;
  bool is_fast = false;
  IndexDivider() = default;
  IndexDivider(int64_t d, int64_t limit)
      : divisor(d), fast(d < int64_t(1) << 31 ? d : 1), is_fast(limit <= (int64_t(1) << 31) / d) {}
  UNCIAL_BODY int64_t quotient(int64_t x) const { return is_fast ? fast.quotient(int(x)) : x / divisor; }
};

/// 32-bit words of a packed factor of 16x8 elements (warp.h).
inline constexpr int kPackedWords = 64;

}  // namespace uncial::cuda
