#pragma once
/// @file precision.h
/// How exactly the heavy operators of a network compute.

#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace uncial {

/// Arithmetic of convolutions and matrix products. Parameters, activations and sums are float32 either way.
enum class Precision : uint8_t {
  float32,
  bf16,  ///< factors rounded to bfloat16 (nearest, ties to even), products summed in float32
};

/// "float32" or "bf16": what the programs' --precision takes.
std::string_view name_of(Precision precision);
/// The opposite way. Throws a usage Error that lists the names.
Precision precision_of(std::string_view name);
std::ostream& operator<<(std::ostream& out, Precision precision);

}  // namespace uncial
