#pragma once
/// How much a test does that takes long.

#include <cstdlib>

namespace uncial::test {

/// Whether sweeps over many numbers and thread counts are run in full. Under a sanitizer, where they take
/// minutes and look at no other memory than shorter ones, only with UNCIAL_TESTS_THOROUGH set, as
/// `./run_tests.sh --release` does: the numbers of the same code are checked in full without it.
inline bool thorough() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::getenv("UNCIAL_TESTS_THOROUGH") != nullptr;
#else
  return true;
#endif
}

}  // namespace uncial::test
