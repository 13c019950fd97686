#pragma once
// The two fonts that cmake/embed_font.cmake turns into source.

namespace uncial::vision {

struct FontData {
  const unsigned char* bytes;
  int size;
};
extern const FontData kRegularFont, kBoldFont;

}  // namespace uncial::vision
