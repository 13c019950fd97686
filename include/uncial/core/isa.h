#pragma once
/// @file isa.h
/// Which instruction set the CPU kernels use.

#include <string>
#include <string_view>
#include <vector>

namespace uncial {

/// What the kernels use now: "portable", "avx2", "avx512", or AVX-512 with something that multiplies bfloat16
/// factors: "avx512-bf16" (dot products of pairs) or "amx" (the matrix unit).
std::string_view isa();
/// Forces one of isas(); an empty name brings back the best. Where there is AVX-512, "amx-emulated" computes
/// what the matrix unit would, bit for bit and slowly: for tests. Throws a usage Error naming what this
/// machine has.
void set_isa(std::string_view name);
/// The sets that this machine can run, best first.
std::vector<std::string> isas();

}  // namespace uncial
