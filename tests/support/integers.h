#pragma once
/// Integers as the bytes of a file.

#include <cstdint>
#include <string>

namespace uncial::test {

inline std::string big32(uint32_t v) { return {char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; }
inline std::string little32(uint32_t v) { return {char(v), char(v >> 8), char(v >> 16), char(v >> 24)}; }
inline std::string little16(uint32_t v) { return {char(v), char(v >> 8)}; }
inline std::string little64(uint64_t v) { return little32(uint32_t(v)) + little32(uint32_t(v >> 32)); }

}  // namespace uncial::test
