#pragma once
/// @file isa.h
/// Which instruction set the CPU kernels use.

#include <string>
#include <string_view>
#include <vector>

namespace uncial {

/// "portable", "avx2" or "avx512": what the kernels use now.
std::string_view isa();
/// Forces one of isas(); an empty name brings back the best. Throws a usage Error naming what this machine
/// has.
void set_isa(std::string_view name);
/// The sets that this machine can run, best first.
std::vector<std::string> isas();

}  // namespace uncial
