#pragma once
/// @file precision.h
/// How exactly the heavy operators of a network compute.

#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace uncial {

/// Arithmetic of convolutions and matrix products, forward and backward. Parameters, activations and sums are
/// float32 either way, and so is everything that multiplies nothing: losses, normalisation, optimisers.
enum class Precision : uint8_t {
  float32,
  /// Factors rounded to bfloat16 (nearest, ties to even; denormals count as 0), products summed in float32:
  /// of y = x w the rounded x and w; of the gradients the rounded dy and w, and x and dy. A bias is added in
  /// float32; its gradient is the sum of the rounded dy, the one that the other gradients read.
  bf16,
  /// The same with float16: 11 bits instead of 8, but only values from 2^-24 to 65504. Gradients below that
  /// become 0, so a loss is multiplied by a factor first (optim::LossScale; train::fit() does).
  fp16,
  /// float32, but a GPU may multiply on tensor cores, which see 11 bits of each float32 factor
  /// (TensorFloat-32). Elsewhere, and where no library multiplies, the same as float32.
  tf32,
};

/// True when factors are rounded to a format of 16 bits.
constexpr bool rounds_factors(Precision precision) {
  return precision == Precision::bf16 || precision == Precision::fp16;
}

/// "float32", "bf16", "fp16" or "tf32": what the programs' --precision takes.
std::string_view name_of(Precision precision);
/// The opposite way. Throws a usage Error that lists the names.
Precision precision_of(std::string_view name);
std::ostream& operator<<(std::ostream& out, Precision precision);

/// What a Context made on this thread starts with; float32 outside of a PrecisionScope.
Precision default_precision();

/// While alive, contexts made on this thread start with `precision`.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision);
  ~PrecisionScope();
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  Precision previous_;
};

}  // namespace uncial
