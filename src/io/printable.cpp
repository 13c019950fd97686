#include <array>
#include <cstdint>

#include "uncial/io/atomic_file.h"

namespace uncial::io {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of `text` (Unicode 15, table 3-7); 0 when there is
/// none.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : uint8_t(0); };
  const auto continues = [&](size_t first, size_t last) {
    for (size_t i = first; i <= last; ++i)
      if ((byte(i) & 0xc0) != 0x80) return false;
    return true;
  };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1, 1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool overlong = lead == 0xe0 && byte(1) < 0xa0, surrogate = lead == 0xed && byte(1) > 0x9f;
    return !overlong && !surrogate && continues(1, 2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool overlong = lead == 0xf0 && byte(1) < 0x90, too_large = lead == 0xf4 && byte(1) > 0x8f;
    return !overlong && !too_large && continues(1, 3) ? 4 : 0;
  }
  return 0;
}

/// C0 controls, DEL, and the C1 controls U+0080..U+009F, which some terminals obey.
bool is_control(std::string_view sequence) {
  const auto lead = uint8_t(sequence[0]);
  return lead < 0x20 || lead == 0x7f || (lead == 0xc2 && uint8_t(sequence[1]) < 0xa0);
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr size_t kLongest = 512;  // a message stays a line even when a name has a megabyte
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    if (out.size() > kLongest) return out + "... (" + std::to_string(text.size()) + " bytes more)";
    const size_t length = sequence_length(text), taken = length > 0 ? length : 1;
    if (text[0] == '\n') {
      out += "\\n";
    } else if (text[0] == '\t') {
      out += "\\t";
    } else if (length == 0 || is_control(text)) {
      for (const char c : text.substr(0, taken))
        (out += "\\x") += {kHex[uint8_t(c) >> 4], kHex[uint8_t(c) & 15]};
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace uncial::io
