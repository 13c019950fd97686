#include "vision/font.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "uncial/core/error.h"

// Static, so that a program may hold a stb_truetype of its own. It comes as a system header, hence without
// warnings.
#define STBTT_assert(condition) ((void)(condition))  // a library must not abort its host
#define STBTT_STATIC
#define STB_TRUETYPE_IMPLEMENTATION
#include <stb_truetype.h>

namespace uncial::vision {

struct Font::Face {
  stbtt_fontinfo info{};
};

namespace {

constexpr int kReplacement = 0xFFFD;

/// Calls visit(glyph, pen x) for each character and returns the pen's end, all in unscaled font units.
template <class Visit>
int walk(const stbtt_fontinfo& info, std::string_view text, Visit visit) {
  int pen = 0, previous = 0;
  while (!text.empty()) {
    const int glyph = stbtt_FindGlyphIndex(&info, next_character(text));
    if (previous) pen += stbtt_GetGlyphKernAdvance(&info, previous, glyph);
    visit(glyph, pen);
    int advance = 0, bearing = 0;
    stbtt_GetGlyphHMetrics(&info, glyph, &advance, &bearing);
    pen += advance;
    previous = glyph;
  }
  return pen;
}

struct GlyphBox {
  int x0, y0, x1, y1;
};
GlyphBox glyph_box(const stbtt_fontinfo& info, int glyph, float scale, float shift) {
  GlyphBox b{};
  stbtt_GetGlyphBitmapBoxSubpixel(&info, glyph, scale, scale, shift, 0, &b.x0, &b.y0, &b.x1, &b.y1);
  return b;
}

}  // namespace

int next_character(std::string_view& text) {
  const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : 0; };
  const int first = byte(0);
  const int length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  int code = length == 1 ? first : first & (0x7f >> length);
  for (int i = 1; i < length; ++i) {
    if (byte(size_t(i)) >> 6 != 2) {
      text.remove_prefix(1);
      return kReplacement;
    }
    code = code << 6 | (byte(size_t(i)) & 0x3f);
  }
  text.remove_prefix(size_t(std::max(length, 1)));
  return length == 0 ? kReplacement : code;
}

Font::Font(const FontData& data) : face_(std::make_unique<Face>()) {
  const int offset = stbtt_GetFontOffsetForIndex(data.bytes, 0);
  ensure(offset >= 0 && stbtt_InitFont(&face_->info, data.bytes, offset),
         "the embedded font is no TrueType font");
}
Font::~Font() = default;

double Font::width(std::string_view text, double size) const {
  return walk(face_->info, text, [](int, int) {}) *
         double(stbtt_ScaleForPixelHeight(&face_->info, float(size)));
}

double Font::cap_height(double size) const {
  const auto box = glyph_box(face_->info, stbtt_FindGlyphIndex(&face_->info, 'H'), 1, 0);
  return -box.y0 * double(stbtt_ScaleForPixelHeight(&face_->info, float(size)));
}

double Font::em(double size) const {
  return double(stbtt_ScaleForPixelHeight(&face_->info, float(size))) /
         double(stbtt_ScaleForMappingEmToPixels(&face_->info, 1));
}

TextMask Font::draw(std::string_view text, double size, double fraction) const {
  const stbtt_fontinfo& info = face_->info;
  const float scale = stbtt_ScaleForPixelHeight(&info, float(size));
  const auto place = [&](int pen) {
    const double x = fraction + pen * double(scale);
    return std::pair(int(std::floor(x)), float(x - std::floor(x)));
  };
  TextMask mask;
  GlyphBox all{1 << 30, 1 << 30, -(1 << 30), -(1 << 30)};
  walk(info, text, [&](int glyph, int pen) {
    const auto [x, shift] = place(pen);
    const GlyphBox b = glyph_box(info, glyph, scale, shift);
    if (b.x1 > b.x0)
      all = {std::min(all.x0, x + b.x0), std::min(all.y0, b.y0), std::max(all.x1, x + b.x1),
             std::max(all.y1, b.y1)};
  });
  if (all.x1 <= all.x0) return mask;
  mask = {all.x1 - all.x0, all.y1 - all.y0, all.x0, all.y0, {}};
  mask.coverage.resize(size_t(mask.width) * size_t(mask.height));
  std::vector<uint8_t> one;
  walk(info, text, [&](int glyph, int pen) {
    const auto [x, shift] = place(pen);
    const GlyphBox b = glyph_box(info, glyph, scale, shift);
    const int w = b.x1 - b.x0, h = b.y1 - b.y0;
    one.assign(size_t(w) * size_t(h), 0);
    if (one.empty()) return;
    stbtt_MakeGlyphBitmapSubpixel(&info, one.data(), w, h, w, scale, scale, shift, 0, glyph);
    for (int j = 0; j < h; ++j)
      for (int i = 0; i < w; ++i) {  // neighbours may overlap by a pixel: their coverages add
        uint8_t& c =
            mask.coverage[size_t(b.y0 - all.y0 + j) * size_t(mask.width) + size_t(x + b.x0 - all.x0 + i)];
        c = uint8_t(std::min(255, c + one[size_t(j) * size_t(w) + size_t(i)]));
      }
  });
  return mask;
}

const Font& font(bool bold) {
  static const Font faces[] = {Font(kRegularFont), Font(kBoldFont)};
  return faces[bold ? 1 : 0];
}

}  // namespace uncial::vision
