#include "support/isas.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "support/catch.h"
#include "uncial/core/isa.h"

namespace uncial::test {
namespace {

/// All that uncial has kernels for: a new one joins here.
constexpr std::array kIsas{"avx512", "avx2", "portable"};
/// AVX-512, and something that multiplies bfloat16 factors.
constexpr std::array kTileIsas{"amx", "avx512-bf16"};

template <class List>
bool holds(const List& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

bool has_isa(const std::string& name) {
  if (holds(isas(), name)) return true;
  static std::set<std::string> said;
  if (said.insert(name).second) {
    std::printf("SKIPPED: %s: this processor lacks it, its kernels are not tested\n", name.c_str());
    std::fflush(stdout);
  }
  return false;
}

void for_each_isa(const std::function<void(const std::string&)>& body) {
  for (const std::string& name : isas()) REQUIRE((holds(kIsas, name) || holds(kTileIsas, name)));
  for (const char* name : kIsas) {
    if (!has_isa(name)) continue;
    set_isa(name);
    body(name);
  }
  set_isa("");
}

void for_each_tile_unit(const std::function<void(const std::string&)>& body) {
  const auto run = [&](const char* name) {
    set_isa(name);
    body(name);
  };
  for (const char* name : kTileIsas)
    if (has_isa(name)) run(name);
  if (has_isa("avx512")) run("amx-emulated");
  set_isa("");
}

}  // namespace uncial::test
