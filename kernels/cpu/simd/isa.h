#pragma once
/// @file isa.h
/// Choosing an instruction set at run time. The files in this folder are compiled once for each set, in a
/// namespace of their own; they include no standard algorithms or containers and no Eigen, because the linker
/// may keep the AVX-512 copy of such a template for everybody.
///
/// A family of kernels is a struct of function pointers:
///
///     struct GemmSimd { void (*tile)(...); };
///     UNCIAL_SIMD_FAMILY(GemmSimd, gemm_simd)       // in the family's header
///     const GemmSimd UNCIAL_SIMD::gemm_simd = {...}; // in its .cpp, compiled for each set
///     gemm_simd().tile(...);                         // in baseline code: the best set of this machine

namespace uncial::cpu {

enum class Isa { portable, avx2, avx512 };

/// The best set that this CPU and its operating system support, or the one that set_isa() asked for.
Isa current_isa();
/// True when this machine can run code for `isa`.
bool supports(Isa isa);
const char* name_of(Isa isa);

#if defined(__x86_64__)
#define UNCIAL_SIMD_FAMILY(Type, name)                                                        \
  namespace portable { extern const Type name; }                                              \
  namespace avx2 { extern const Type name; }                                                  \
  namespace avx512 { extern const Type name; }                                                \
  inline const Type& name() {                                                                 \
    switch (current_isa()) {                                                                  \
      case Isa::avx512: return avx512::name;                                                  \
      case Isa::avx2: return avx2::name;                                                      \
      default: return portable::name;                                                         \
    }                                                                                         \
  }
#else
#define UNCIAL_SIMD_FAMILY(Type, name)           \
  namespace portable { extern const Type name; } \
  inline const Type& name() { return portable::name; }
#endif

}  // namespace uncial::cpu
