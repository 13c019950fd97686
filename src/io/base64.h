#pragma once
// Bytes as text, for files that carry others inside.

#include <string>
#include <string_view>

namespace uncial::io {

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

}  // namespace uncial::io
