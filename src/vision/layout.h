#pragma once
// Putting text where there is room for it.

#include <string>
#include <vector>

#include "uncial/vision/canvas.h"

namespace uncial::vision {

/// Sizes of the text in every figure, in pixels.
inline constexpr double kTitleSize = 17, kLabelSize = 14, kTickSize = 13, kSmallSize = 12;
/// Smallest size that can still be read at scale 2.
inline constexpr double kLeastSize = 6;

inline constexpr Colour kGrid{232, 232, 232}, kFrame{150, 150, 150}, kText{60, 60, 60};

struct Box {
  double x, y, w, h;
};

/// `style` made smaller, down to kLeastSize, until `text` is at most `width` long.
TextStyle fitted(const Canvas& canvas, std::string_view text, TextStyle style, double width);
/// Cuts `text` at spaces into lines of at most `width` where that is possible.
std::vector<std::string> wrapped(const Canvas& canvas, std::string_view text, const TextStyle& style,
                                 double width);
/// Length of the longest of `texts`.
double widest(const Canvas& canvas, const std::vector<std::string>& texts, const TextStyle& style);
/// The title of one chart, in as many lines as it needs, from (x, top); returns the height they take (0 when
/// empty).
double draw_chart_title(Canvas& canvas, double x, double top, double width, const std::string& title);
/// What stands above a whole figure, centred: its title, and a note in small type.
class Head {
 public:
  Head(const std::string& title, const std::string& note, double width);
  double height() const;
  void draw(Canvas& canvas) const;

 private:
  std::string title_;
  std::vector<std::string> note_;  // in lines
};

}  // namespace uncial::vision
