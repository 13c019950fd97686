#pragma once
/// Bytes as text.

#include <span>
#include <string>
#include <string_view>

namespace uncial::cli {

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);
std::string base64(std::span<const unsigned char> bytes);

}  // namespace uncial::cli
