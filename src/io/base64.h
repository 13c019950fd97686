#pragma once
// Bytes as text, for files that carry others inside.

#include <span>
#include <string>
#include <string_view>

namespace uncial::io {

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);
inline std::string base64(std::span<const unsigned char> bytes) {
  return base64(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace uncial::io
