#include "runtime.h"
#include "uncial/core/error.h"

namespace uncial::cuda {

std::string text_of(const Fault& f) {
  switch (f.code) {
    case kLabel:
      return join("cross_entropy: label ", f.value, " at index ", f.place, " is outside [0, ", f.limit, ").");
    case kIndex:
      return join("gather: index ", f.value, " at position ", f.place, " is outside [", -f.limit, ", ",
                  f.limit, ").");
    case kOneHotIndex:
      return join("one_hot: index ", f.value, " at position ", f.place, " is outside [0, ", f.limit, ").");
    case kDivisionByZero:
      return "divide: an integer is divided by zero.";
    default:
      return "a kernel met wrong data.";
  }
}

}  // namespace uncial::cuda
