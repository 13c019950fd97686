#pragma once
/// @file canvas.h
/// A small canvas: filled shapes, lines, anti-aliased text, images; PNG and SVG files. Needs no display.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::vision {

struct Colour {
  uint8_t r = 0, g = 0, b = 0, a = 255;
  friend bool operator==(Colour, Colour) = default;
};

/// Colours that people with the common forms of colour blindness tell apart.
/// Source: Okabe & Ito, "Color Universal Design", 2008.
namespace palette {
inline constexpr Colour black{0, 0, 0}, white{255, 255, 255}, grey{110, 110, 110}, light{225, 225, 225};
inline constexpr Colour blue{0, 114, 178}, orange{230, 159, 0}, green{0, 158, 115}, red{213, 94, 0};
inline constexpr Colour purple{204, 121, 167}, sky{86, 180, 233}, yellow{240, 228, 66};
}  // namespace palette

/// The colour a fraction t in [0, 1] of the way from a to b (t outside is clamped, NaN counts as 0).
Colour mix(Colour a, Colour b, double t);
/// Black or white, whichever is easier to read on `background`.
Colour ink_on(Colour background);

/// A colour for each t in [0, 1]; t outside is clamped, NaN counts as 0.
using ColourMap = Colour (*)(double t);
/// Perceptually even, dark blue to yellow. Source: Smith & van der Walt, matplotlib 2, 2015.
Colour viridis(double t);
/// Blue below 1/2, white at 1/2, orange-red above: for values about zero.
Colour diverging(double t);

struct Point {
  double x = 0, y = 0;
};

/// Where text sits relative to its anchor point.
enum class Align { left, centre, right };
struct TextStyle {
  double size = 14;  ///< height of a line from its highest ascender to its lowest descender, in pixels
  Colour colour = palette::black;
  Align align = Align::left;
  bool bold = false;
  double degrees = 0;  ///< 0 or 90 (bottom to top)
};

/// An RGB picture under construction. Coordinates are pixels, (0, 0) the top left corner; everything outside
/// is clipped, shapes with a NaN coordinate or without extent draw nothing. Edges are anti-aliased. `scale`
/// multiplies every coordinate and size, so the same drawing code makes 1x and 2x pictures. What is drawn is
/// also recorded, so one drawing gives a PNG of pixels and an SVG of shapes that look alike.
class Canvas {
 public:
  /// Throws a usage Error unless 1 <= scale <= 8 and each side times scale is in 1..16384.
  Canvas(int width, int height, Colour background = palette::white, int scale = 2);
  int width() const { return width_; }
  int height() const { return height_; }

  /// Fills [x, x+w) x [y, y+h).
  void fill_rect(double x, double y, double w, double h, Colour colour);
  /// Outlines the same box; the line lies inside it.
  void stroke_rect(double x, double y, double w, double h, Colour colour, double thickness = 1);
  /// A line with its middle on the two points: cut at its ends when horizontal or vertical, else with round
  /// ends.
  void line(double x0, double y0, double x1, double y1, Colour colour, double thickness = 1);
  void dashed_line(double x0, double y0, double x1, double y1, Colour colour, double thickness = 1,
                   double dash = 5);
  /// A curve with round joints; points with a NaN interrupt it, and a point alone is a dot.
  void polyline(std::span<const Point> points, Colour colour, double thickness = 1);
  void circle(double x, double y, double radius, Colour colour);
  /// Draws one line of `text` (UTF-8, Latin and common symbols) with the middle of its capitals at y; turned
  /// by 90 degrees, with that middle at x. Throws a usage Error for degrees other than 0 and 90.
  void text(double x, double y, std::string_view text, const TextStyle& style = {});
  /// Length that text() would cover along its direction.
  double text_width(std::string_view text, const TextStyle& style = {}) const;
  /// Draws a (H, W) or (1, H, W) grey image, values mapped from [low, high] to black..white (inverted:
  /// white..black), or (3, H, W) colour in the same range, each pixel as a block of the box. NaN is drawn as
  /// 0. Throws a usage Error for other shapes and unless low < high.
  void image(double x, double y, double w, double h, const Tensor& pixels, double low = 0, double high = 1,
             bool inverted = false);
  /// Like image() for (H, W) or (1, H, W), through a colour map.
  void heat_map(double x, double y, double w, double h, const Tensor& values, double low, double high,
                ColourMap map = viridis);

  /// (3, height*scale, width*scale) uint8.
  Tensor pixels() const;
  /// The picture as PNG bytes; the file variant replaces `path` atomically. Throws Error(io).
  std::string png() const;
  void save_png(const std::filesystem::path& path) const;
  /// The picture as SVG: text as text (stretched to the length it has in the PNG, whatever font the reader
  /// has), images as embedded PNG in their own resolution, nothing outside of the file. Equal drawings give
  /// equal bytes. The file variant replaces `path` atomically. Throws Error(io).
  std::string svg() const;
  void save_svg(const std::filesystem::path& path) const;

 private:
  /// Mixes `colour` into device pixel (x, y), which must exist; coverage in [0, 1].
  void blend(int x, int y, Colour colour, double coverage);
  void paint_rect(double x0, double y0, double x1, double y1, Colour colour);
  /// False when nothing of it lies in the picture.
  bool paint_curve(std::span<const Point> points, Colour colour, double thickness);
  /// Shows `rows` x `columns` colours as blocks of the box, and records them.
  void draw_blocks(double x, double y, double w, double h, int64_t rows, int64_t columns,
                   const std::function<Colour(int64_t row, int64_t column)>& colour);
  int device_width() const { return width_ * scale_; }
  int device_height() const { return height_ * scale_; }

  int width_, height_, scale_;
  std::vector<uint8_t> rgb_;  // row-major device pixels
  std::string elements_;      // the same as SVG
};

}  // namespace uncial::vision
