#pragma once
/// @file isa.h
/// Which instruction set the CPU kernels use.

#include <string>
#include <string_view>
#include <vector>

namespace uncial {

/// "portable", "avx2", "avx512" or "amx" (AVX-512, and the matrix unit for bfloat16): what the kernels use now.
std::string_view isa();
/// Forces one of isas(); an empty name brings back the best. Where there is AVX-512, "amx-emulated" computes
/// what the matrix unit would, bit for bit and slowly: for tests. Throws a usage Error naming what this
/// machine has.
void set_isa(std::string_view name);
/// The sets that this machine can run, best first.
std::vector<std::string> isas();

}  // namespace uncial
