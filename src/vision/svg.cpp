#include "vision/svg.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/base64.h"
#include "uncial/core/error.h"
#include "vision/font.h"

namespace uncial::vision::svg {
namespace {

/// At most three decimals, without zeros at the end. Beyond 1e9, far outside of any picture, it is cut.
std::string number(double value) {
  char text[32];
  const double kept = std::clamp(value, -1e9, 1e9);
  const char* end = std::to_chars(text, text + sizeof text, kept, std::chars_format::fixed, 3).ptr;
  while (end[-1] == '0') --end;
  if (end[-1] == '.') --end;
  const std::string_view shown(text, size_t(end - text));
  return shown == "-0" ? "0" : std::string(shown);
}

std::string attribute(const std::string& name, double value) {
  return " " + name + "=\"" + number(value) + "\"";
}

/// `name` is fill or stroke.
std::string paint(const std::string& name, Colour colour) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex = "#";
  for (const uint8_t v : {colour.r, colour.g, colour.b}) hex += {kDigits[v >> 4], kDigits[v & 15]};
  std::string text = " " + name + "=\"" + hex + "\"";
  if (colour.a < 255) text += attribute(name + "-opacity", colour.a / 255.0);
  return text;
}

std::string point(Point p) { return number(p.x) + " " + number(p.y); }

/// XML takes neither control characters nor surrogates; they become U+FFFD, like malformed UTF-8.
bool is_xml_character(int code) {
  return (code >= 0x20 && code < 0xD800 && code != 0x7f) || (code >= 0xE000 && code < 0xFFFE) ||
         (code >= 0x10000 && code <= 0x10FFFF);
}

void append_utf8(std::string& out, int code) {
  const auto tail = [code](int shift) { return char(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80)
    out += char(code);
  else if (code < 0x800)
    out += {char(0xC0 | code >> 6), tail(0)};
  else if (code < 0x10000)
    out += {char(0xE0 | code >> 12), tail(6), tail(0)};
  else
    out += {char(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

/// Text between tags.
std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const int code = next_character(text);
    if (code == '&')
      out += "&amp;";
    else if (code == '<')
      out += "&lt;";
    else if (code == '>')
      out += "&gt;";
    else
      append_utf8(out, is_xml_character(code) ? code : 0xFFFD);
  }
  return out;
}

}  // namespace

std::string rect(double x, double y, double w, double h, Colour fill) {
  return "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", w) + attribute("height", h) +
         paint("fill", fill) + "/>\n";
}

std::string outline(double x, double y, double w, double h, Colour colour, double thickness) {
  return "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", w) + attribute("height", h) +
         " fill=\"none\"" + paint("stroke", colour) + attribute("stroke-width", thickness) + "/>\n";
}

std::string circle(double x, double y, double radius, Colour fill) {
  return "<circle" + attribute("cx", x) + attribute("cy", y) + attribute("r", radius) + paint("fill", fill) +
         "/>\n";
}

std::string curve(std::span<const Point> points, Colour colour, double thickness) {
  const auto is_finite = [](Point p) { return std::isfinite(p.x) && std::isfinite(p.y); };
  std::string path;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!is_finite(points[i])) continue;
    const bool first = i == 0 || !is_finite(points[i - 1]),
               last = i + 1 == points.size() || !is_finite(points[i + 1]);
    path += (first ? "M" : "L") + point(points[i]);
    if (first && last) path += "h0";  // a line of no length has round ends: the dot
  }
  return "<path d=\"" + path + "\" fill=\"none\"" + paint("stroke", colour) +
         attribute("stroke-width", thickness) + " stroke-linecap=\"round\" stroke-linejoin=\"round\"/>\n";
}

std::string dashes(Point from, Point to, Colour colour, double thickness, double dash) {
  const bool slanted = from.x != to.x && from.y != to.y;  // Canvas::line() rounds the ends of such
  return "<path d=\"M" + point(from) + "L" + point(to) + "\" fill=\"none\"" + paint("stroke", colour) +
         attribute("stroke-width", thickness) + attribute("stroke-dasharray", dash) +
         (slanted ? " stroke-linecap=\"round\"/>\n" : "/>\n");
}

std::string text(Point anchor, std::string_view text, const TextStyle& style, double em, double length) {
  const std::string place = style.degrees == 0 ? attribute("x", anchor.x) + attribute("y", anchor.y)
                                               : " transform=\"translate(" + point(anchor) + ")rotate(-90)\"";
  return "<text" + place + attribute("font-size", em) +
         (style.align == Align::left     ? ""
          : style.align == Align::centre ? " text-anchor=\"middle\""
                                         : " text-anchor=\"end\"") +
         (style.bold ? " font-weight=\"bold\"" : "") + paint("fill", style.colour) +
         attribute("textLength", length) + " lengthAdjust=\"spacingAndGlyphs\">" + escaped(text) +
         "</text>\n";
}

std::string image(double x, double y, double w, double h, std::string_view png) {
  return "<image" + attribute("x", x) + attribute("y", y) + attribute("width", w) + attribute("height", h) +
         " preserveAspectRatio=\"none\" href=\"data:image/png;base64," + io::base64(png) + "\"/>\n";
}

std::string document(int width, int height, std::string_view elements) {
  // The embedded font first, then one that is as wide; spaces are kept as they are drawn.
  return join("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", width, "\" height=\"", height,
              "\" viewBox=\"0 0 ", width, " ", height,
              "\" font-family=\"DejaVu Sans, Verdana, system-ui, sans-serif\" "
              "style=\"image-rendering:pixelated;white-space:pre\">\n",
              elements, "</svg>\n");
}

}  // namespace uncial::vision::svg
