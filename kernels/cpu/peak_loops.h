#pragma once
// Loops that do nothing but multiply and add, as fast as one core can.

#include <cstdint>
#include <string>

namespace uncial::cpu {

struct PeakLoop {
  void (*run)(int64_t rounds) = nullptr;
  double flops_a_round = 0;
};

/// Of an instruction set that this machine has.
PeakLoop fma_loop(const std::string& isa);
/// bfloat16 products of AVX512_BF16 and of AMX. `run` is null where there is none, or the system refuses it.
PeakLoop dot_loop();
PeakLoop amx_loop();

}  // namespace uncial::cpu
