#include "tile_unit.h"

#include <atomic>

#include "simd/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace uncial::cpu {
namespace {

std::atomic<TileUnit> chosen{TileUnit::amx};

#if defined(__x86_64__)
bool cpu_has_dot_products() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & 1u << 5;  // AVX512_BF16
}

bool cpu_has_amx() {
  unsigned a, b, c, d;
  if (!cpu_has_dot_products() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;  // edx
  if ((d & (kAmxBf16 | kAmxTile)) != (kAmxBf16 | kAmxTile)) return false;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27)) return false;  // OSXSAVE
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low >> 17 & 3u) == 3u;  // the operating system keeps tiles and their configuration
}
#else
bool cpu_has_dot_products() { return false; }
bool cpu_has_amx() { return false; }
#endif

/// Linux keeps tiles for a process only after it has asked: their 8 KiB make signal frames larger.
bool permitted() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool supports(TileUnit unit) {
  static const bool avx512 = supports(Isa::avx512), dot = avx512 && cpu_has_dot_products(),
                    amx = avx512 && cpu_has_amx();
  switch (unit) {
    case TileUnit::amx:
      return amx;
    case TileUnit::dot_products:
      return dot;
    case TileUnit::emulated:
      return avx512;
    default:
      return true;
  }
}

TileUnit tile_unit() {
  if (current_isa() != Isa::avx512) return TileUnit::none;
  const TileUnit unit = chosen.load(std::memory_order_relaxed);
  if (unit < TileUnit::dot_products) return unit;
  if (unit == TileUnit::amx && supports(unit)) {
    static const bool may = permitted();
    if (may) return unit;
  }
  return supports(TileUnit::dot_products) ? TileUnit::dot_products : TileUnit::none;
}

void choose_tile_unit(TileUnit unit) { chosen.store(unit, std::memory_order_relaxed); }

}  // namespace uncial::cpu
