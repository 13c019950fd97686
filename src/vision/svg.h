#pragma once
// What a canvas draws, as SVG elements. Numbers have at most three decimals and know no locale, so the same
// drawing gives the same bytes. There are no ids, classes or style sheets: an element stays harmless inside
// an HTML page that holds other pictures.

#include <span>
#include <string>
#include <string_view>

#include "uncial/vision/canvas.h"

namespace uncial::vision::svg {

std::string rect(double x, double y, double w, double h, Colour fill);
/// (x, y, w, h) is the middle of the line.
std::string outline(double x, double y, double w, double h, Colour colour, double thickness);
std::string circle(double x, double y, double radius, Colour fill);
/// Like Canvas::polyline(): round joints, a gap at each NaN, a dot for a point alone.
std::string curve(std::span<const Point> points, Colour colour, double thickness);
std::string dashes(Point from, Point to, Colour colour, double thickness, double dash);
/// `anchor` lies on the base line; `em` is the font's size, and the text is stretched to `length` whatever
/// font it is shown in.
std::string text(Point anchor, std::string_view text, const TextStyle& style, double em, double length);
/// The PNG's pixels stay sharp blocks.
std::string image(double x, double y, double w, double h, std::string_view png);
/// A whole file.
std::string document(int width, int height, std::string_view elements);

}  // namespace uncial::vision::svg
