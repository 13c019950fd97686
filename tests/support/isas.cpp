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
constexpr std::array kIsas{"amx", "avx512", "avx2", "portable"};

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
  for (const std::string& name : isas()) REQUIRE(holds(kIsas, name));
  for (const char* name : kIsas) {
    if (!has_isa(name)) continue;
    set_isa(name);
    body(name);
  }
  set_isa("");
}

void for_each_isa_and_emulation(const std::function<void(const std::string&)>& body) {
  for_each_isa(body);
  if (!has_isa("avx512")) return;
  set_isa("amx-emulated");
  body("amx-emulated");
  set_isa("");
}

}  // namespace uncial::test
