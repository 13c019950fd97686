#include "uncial/core/isa.h"

#include <atomic>
#include <utility>

#include "simd/isa.h"
#include "tiles/tile_unit.h"
#include "uncial/core/error.h"

namespace uncial {
namespace cpu {
namespace {
constexpr Isa kBestFirst[] = {Isa::avx512, Isa::avx2, Isa::portable};
std::atomic<int> forced{-1};
}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return "avx512";
    case Isa::avx2:
      return "avx2";
    default:
      return "portable";
  }
}

bool supports(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx512)
    return supports(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == Isa::portable;
}

Isa current_isa() {
  static const Isa best = [] {
    for (Isa isa : kBestFirst)
      if (supports(isa)) return isa;
    return Isa::portable;
  }();
  const int choice = forced.load(std::memory_order_relaxed);
  return choice < 0 ? best : Isa(choice);
}
}  // namespace cpu

std::string_view isa() {
  switch (cpu::tile_unit()) {
    case cpu::TileUnit::amx:
      return "amx";
    case cpu::TileUnit::dot_products:
      return "avx512-bf16";
    case cpu::TileUnit::emulated:
      return "amx-emulated";
    default:
      return cpu::name_of(cpu::current_isa());
  }
}

std::vector<std::string> isas() {
  std::vector<std::string> names;
  if (cpu::supports(cpu::TileUnit::amx)) names.emplace_back("amx");
  if (cpu::supports(cpu::TileUnit::dot_products)) names.emplace_back("avx512-bf16");
  for (cpu::Isa isa : cpu::kBestFirst)
    if (cpu::supports(isa)) names.emplace_back(cpu::name_of(isa));
  return names;
}

void set_isa(std::string_view name) {
  const auto choose = [](int isa, cpu::TileUnit unit) {
    cpu::forced = isa;
    cpu::choose_tile_unit(unit);
  };
  if (name.empty()) return choose(-1, cpu::TileUnit::amx);
  for (const auto& [unit, unit_name] :
       {std::pair(cpu::TileUnit::amx, "amx"), std::pair(cpu::TileUnit::dot_products, "avx512-bf16"),
        std::pair(cpu::TileUnit::emulated, "amx-emulated")})
    if (name == unit_name && cpu::supports(unit)) return choose(int(cpu::Isa::avx512), unit);
  for (cpu::Isa isa : cpu::kBestFirst)
    if (cpu::supports(isa) && name == cpu::name_of(isa)) return choose(int(isa), cpu::TileUnit::none);
  std::string known;
  for (const std::string& n : isas()) known += (known.empty() ? "" : ", ") + n;
  fail(ErrorKind::usage, "set_isa: this machine has no \"", name, "\"; it has: ", known, ".");
}

}  // namespace uncial
