#pragma once
// Glyphs of an embedded TrueType font as coverage masks.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "vision/font_data.h"

namespace uncial::vision {

/// Coverage (0..255) of a line of text. Row-major; (left, top) is the first pixel seen from the pen's start
/// on the base line.
struct TextMask {
  int width = 0, height = 0, left = 0, top = 0;
  std::vector<uint8_t> coverage;
};

/// One face, safe to use from several threads at once. Sizes are in device pixels from the highest ascender
/// to the lowest descender. Text is UTF-8; a malformed byte shows as U+FFFD, a character that the face lacks
/// as its box.
class Font {
 public:
  explicit Font(const FontData& data);
  ~Font();
  double width(std::string_view text, double size) const;
  double cap_height(double size) const;
  /// What other programs call the size: the em square's side.
  double em(double size) const;
  /// Draws text whose pen starts `fraction` (in [0, 1)) to the right of a pixel's edge.
  TextMask draw(std::string_view text, double size, double fraction) const;

 private:
  struct Face;
  std::unique_ptr<Face> face_;
};

/// Takes one character off the front of `text`; U+FFFD for a malformed byte.
int next_character(std::string_view& text);

/// The embedded faces.
const Font& font(bool bold);

}  // namespace uncial::vision
