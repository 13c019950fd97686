// std::bit_cast for a libc++ that lacks it: Debian 12's emscripten has version 13, and 14 brought it.
#pragma once
#include <bit>
#if !defined(__cpp_lib_bit_cast)
namespace std {
template <class To, class From>
constexpr To bit_cast(const From& from) noexcept {
  return __builtin_bit_cast(To, from);
}
}  // namespace std
#endif
