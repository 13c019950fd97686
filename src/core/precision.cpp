#include "uncial/core/precision.h"

#include <ostream>
#include <utility>

#include "uncial/core/error.h"

namespace uncial {
namespace {
thread_local Precision current = Precision::float32;
}  // namespace

Precision default_precision() { return current; }
PrecisionScope::PrecisionScope(Precision precision) : previous_(std::exchange(current, precision)) {}
PrecisionScope::~PrecisionScope() { current = previous_; }

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::float32:
      return "float32";
    case Precision::bf16:
      return "bf16";
    case Precision::fp16:
      return "fp16";
    case Precision::tf32:
      return "tf32";
  }
  throw InternalError("name_of: unknown precision");
}

Precision precision_of(std::string_view name) {
  for (const Precision precision : {Precision::float32, Precision::bf16, Precision::fp16, Precision::tf32})
    if (name == name_of(precision)) return precision;
  fail(ErrorKind::usage, "precision: got '", name, "', expected float32, bf16, fp16 or tf32.");
}

std::ostream& operator<<(std::ostream& out, Precision precision) { return out << name_of(precision); }

}  // namespace uncial
