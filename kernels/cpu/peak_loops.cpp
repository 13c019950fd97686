#include "peak_loops.h"

#include "tiles/tile_unit.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace uncial::cpu {
namespace {

// Independent sums: latency (4 cycles) times rate (2 a cycle), and some more; all of them fit the registers.
constexpr int kSums = 12;

#if defined(__x86_64__)

__attribute__((target("avx512f"))) void fma_avx512(int64_t rounds) {
  __m512 sum[kSums];
  const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
#pragma GCC unroll 12
  for (__m512& s : sum) s = a;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& s : sum) {
      s = _mm512_fmadd_ps(s, a, b);
      asm volatile("" : "+v"(s));  // else sums that start equal are merged into one
    }
  }
}

__attribute__((target("avx2,fma"))) void fma_avx2(int64_t rounds) {
  __m256 sum[kSums];
  const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
#pragma GCC unroll 12
  for (__m256& s : sum) s = a;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m256& s : sum) {
      s = _mm256_fmadd_ps(s, a, b);
      asm volatile("" : "+x"(s));
    }
  }
}

#endif

typedef float Quad __attribute__((vector_size(16)));
#if defined(__x86_64__)
#define UNCIAL_IN_REGISTER(v) "+x"(v)
#elif defined(__wasm__)
#define UNCIAL_IN_REGISTER(v) "+r"(v)
#else
#define UNCIAL_IN_REGISTER(v) "+w"(v)
#endif

void multiply_add_portable(int64_t rounds) {
  Quad sum[kSums];
  const Quad a = {0.999f, 0.999f, 0.999f, 0.999f}, b = {1e-3f, 1e-3f, 1e-3f, 1e-3f};
#pragma GCC unroll 12
  for (Quad& s : sum) s = a;
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (Quad& s : sum) {
      s = s * a + b;
      asm volatile("" : UNCIAL_IN_REGISTER(s));
    }
  }
}

#if defined(__x86_64__) && defined(__linux__)

__attribute__((target("avx512f,avx512bf16"))) void dots_avx512(int64_t rounds) {
  __m512 sum[kSums];
  const __m512bh a = (__m512bh)_mm512_set1_epi32(0x3f803f80);  // pairs of 1
#pragma GCC unroll 12
  for (__m512& s : sum) s = _mm512_setzero_ps();
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& s : sum) {
      s = _mm512_dpbf16_ps(s, a, a);
      asm volatile("" : "+v"(s));
    }
  }
}

bool has_amx() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kTiles = 1u << 24, kBfloat16 = 1u << 22;
  if (!(d & kTiles) || !(d & kBfloat16)) return false;
  // Linux keeps the tiles' state (feature 18) from a process until it asks.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// Four sums of 16 x 16 from two tiles on either side: 4 x 16 x 16 x 32 multiply-adds a round.
__attribute__((target("amx-tile,amx-bf16"))) void tiles_amx(int64_t rounds) {
  const TileShapes shapes;
  alignas(64) static const char zeros[1024] = {};
  asm volatile("" : : "r"(&shapes) : "memory");  // g++ 12 thinks that the next line reads 8 bytes of it
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

#endif

}  // namespace

PeakLoop fma_loop(const std::string& isa) {
#if defined(__x86_64__)
  if (isa.starts_with("avx512") || isa.starts_with("amx")) return {fma_avx512, 2.0 * kSums * 16};
  if (isa == "avx2") return {fma_avx2, 2.0 * kSums * 8};
#endif
  static_cast<void>(isa);
  return {multiply_add_portable, 2.0 * kSums * 4};
}

PeakLoop dot_loop() {
#if defined(__x86_64__) && defined(__linux__)
  if (supports(TileUnit::dot_products)) return {dots_avx512, 2.0 * kSums * 32};
#endif
  return {};
}

PeakLoop amx_loop() {
#if defined(__x86_64__) && defined(__linux__)
  static const bool available = has_amx();
  if (available) return {tiles_amx, 2.0 * 4 * 16 * 16 * 32};
#endif
  return {};
}

}  // namespace uncial::cpu
