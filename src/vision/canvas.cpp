#include "uncial/vision/canvas.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "vision/font.h"
#include "vision/svg.h"

namespace uncial::vision {
namespace {

constexpr int kLargestSide = 16384;

/// Mixing light, not the values stored for it, keeps anti-aliased edges even. True light (2.2) makes dark
/// text on paper look thin and plain values make it look fat; 1.4 is the usual compromise of text renderers.
struct GammaTables {
  static constexpr double kGamma = 1.4;
  static constexpr int kSteps = 8192;
  std::array<double, 256> light;
  std::array<uint8_t, kSteps + 1> value;

  GammaTables() {
    for (size_t i = 0; i < light.size(); ++i) light[i] = std::pow(double(i) / 255, kGamma);
    for (size_t i = 0; i < value.size(); ++i)
      value[i] = uint8_t(std::lround(255 * std::pow(double(i) / kSteps, 1 / kGamma)));
  }
};

/// Device pixels that [low, high) touches, cut to [0, limit).
struct PixelRange {
  int begin = 0, end = 0;
  PixelRange(double low, double high, int limit) {
    if (!(low < high)) return;  // also when one is NaN
    begin = int(std::clamp(std::floor(low), 0.0, double(limit)));
    end = int(std::clamp(std::ceil(high), 0.0, double(limit)));
  }
};

/// How much of pixel [i, i+1) lies in [low, high).
double overlap(int i, double low, double high) {
  return std::clamp(std::min(high, i + 1.0) - std::max(low, double(i)), 0.0, 1.0);
}

double distance_to_segment(Point p, Point a, Point b) {
  const double ux = b.x - a.x, uy = b.y - a.y, length2 = ux * ux + uy * uy;
  const double t = length2 > 0 ? std::clamp(((p.x - a.x) * ux + (p.y - a.y) * uy) / length2, 0.0, 1.0) : 0.0;
  return std::hypot(p.x - a.x - t * ux, p.y - a.y - t * uy);
}

bool is_finite(Point p) { return std::isfinite(p.x) && std::isfinite(p.y); }

}  // namespace

Canvas::Canvas(int width, int height, Colour background, int scale)
    : width_(width), height_(height), scale_(scale) {
  require(scale >= 1 && scale <= 8, "Canvas: scale must be in [1, 8], got ", scale, ".");
  for (int side : {width, height})
    require(side >= 1 && side <= kLargestSide / scale, "Canvas: sides must be in [1, ", kLargestSide / scale,
            "] at scale ", scale, ", got ", width, " x ", height, ".");
  rgb_.reserve(size_t(device_width()) * size_t(device_height()) * 3);
  for (int64_t i = int64_t(device_width()) * device_height(); i > 0; --i)
    rgb_.insert(rgb_.end(), {background.r, background.g, background.b});
  elements_ = svg::rect(0, 0, width, height, {background.r, background.g, background.b});
}

void Canvas::blend(int x, int y, Colour colour, double coverage) {
  static const GammaTables tables;
  uint8_t* pixel = &rgb_[(size_t(y) * size_t(device_width()) + size_t(x)) * 3];
  const double alpha = coverage * colour.a / 255;
  const uint8_t ink[] = {colour.r, colour.g, colour.b};
  for (int c = 0; c < 3; ++c) {
    const double light = tables.light[pixel[c]] + alpha * (tables.light[ink[c]] - tables.light[pixel[c]]);
    pixel[c] = alpha >= 1 ? ink[c] : tables.value[size_t(light * GammaTables::kSteps + 0.5)];
  }
}

void Canvas::paint_rect(double x0, double y0, double x1, double y1, Colour colour) {
  x0 *= scale_, y0 *= scale_, x1 *= scale_, y1 *= scale_;
  const PixelRange columns(x0, x1, device_width()), rows(y0, y1, device_height());
  for (int j = rows.begin; j < rows.end; ++j)
    for (int i = columns.begin; i < columns.end; ++i)
      blend(i, j, colour, overlap(i, x0, x1) * overlap(j, y0, y1));
}

void Canvas::fill_rect(double x, double y, double w, double h, Colour colour) {
  // x first: std::max and std::min return their first argument when it is NaN.
  const double x0 = std::max(x, 0.0), x1 = std::min(x + w, double(width_));
  const double y0 = std::max(y, 0.0), y1 = std::min(y + h, double(height_));
  if (!(x0 < x1 && y0 < y1)) return;
  elements_ += svg::rect(x0, y0, x1 - x0, y1 - y0, colour);
  paint_rect(x0, y0, x1, y1, colour);
}

void Canvas::stroke_rect(double x, double y, double w, double h, Colour colour, double thickness) {
  const double t = std::min({thickness, w / 2, h / 2});
  if (!(t > 0) || !is_finite({x, y}) || !is_finite({w, h})) return;
  elements_ += svg::outline(x + t / 2, y + t / 2, w - t, h - t, colour, t);
  paint_rect(x, y, x + w, y + t, colour);
  paint_rect(x, y + h - t, x + w, y + h, colour);
  paint_rect(x, y + t, x + t, y + h - t, colour);
  paint_rect(x + w - t, y + t, x + w, y + h - t, colour);
}

void Canvas::line(double x0, double y0, double x1, double y1, Colour colour, double thickness) {
  const double half = thickness / 2;
  if (y0 == y1) return fill_rect(std::min(x0, x1), y0 - half, std::abs(x1 - x0), thickness, colour);
  if (x0 == x1) return fill_rect(x0 - half, std::min(y0, y1), thickness, std::abs(y1 - y0), colour);
  if (is_finite({x0, y0}) && is_finite({x1, y1}))
    polyline(std::array{Point{x0, y0}, Point{x1, y1}}, colour, thickness);
}

void Canvas::dashed_line(double x0, double y0, double x1, double y1, Colour colour, double thickness,
                         double dash) {
  const double length = std::hypot(x1 - x0, y1 - y0), half = thickness / 2;
  if (!(length > 0) || !std::isfinite(length) || !(dash > 0)) return;
  elements_ += svg::dashes({x0, y0}, {x1, y1}, colour, thickness, dash);
  const auto at = [&](double s) {
    const double t = std::min(s / length, 1.0);
    return Point{x0 + (x1 - x0) * t, y0 + (y1 - y0) * t};
  };
  for (double s = 0; s < length; s += 2 * dash) {
    const Point a = at(s), b = at(s + dash);
    if (y0 == y1)
      paint_rect(std::min(a.x, b.x), y0 - half, std::max(a.x, b.x), y0 + half, colour);
    else if (x0 == x1)
      paint_rect(x0 - half, std::min(a.y, b.y), x0 + half, std::max(a.y, b.y), colour);
    else
      paint_curve(std::array{a, b}, colour, thickness);
  }
}

bool Canvas::paint_curve(std::span<const Point> points, Colour colour, double thickness) {
  // The segments meet in one mask first, so that nothing is painted twice where they join.
  const double radius = thickness * scale_ / 2, reach = radius + 0.5;
  double low_x = INFINITY, low_y = INFINITY, high_x = -INFINITY, high_y = -INFINITY;
  for (Point p : points) {
    if (!is_finite(p)) continue;
    low_x = std::min(low_x, p.x * scale_ - reach), high_x = std::max(high_x, p.x * scale_ + reach);
    low_y = std::min(low_y, p.y * scale_ - reach), high_y = std::max(high_y, p.y * scale_ + reach);
  }
  const PixelRange columns(low_x, high_x, device_width()), rows(low_y, high_y, device_height());
  if (columns.begin == columns.end || rows.begin == rows.end) return false;
  const size_t stride = size_t(columns.end - columns.begin);
  std::vector<float> mask(stride * size_t(rows.end - rows.begin));
  for (size_t k = 0; k < points.size(); ++k) {
    const bool joined = k > 0 && is_finite(points[k - 1]);
    if (!is_finite(points[k])) continue;
    const Point b{points[k].x * scale_, points[k].y * scale_};
    const Point a = joined ? Point{points[k - 1].x * scale_, points[k - 1].y * scale_} : b;
    const PixelRange xs(std::min(a.x, b.x) - reach, std::max(a.x, b.x) + reach, device_width());
    const PixelRange ys(std::min(a.y, b.y) - reach, std::max(a.y, b.y) + reach, device_height());
    for (int j = ys.begin; j < ys.end; ++j)
      for (int i = xs.begin; i < xs.end; ++i) {
        float& m = mask[size_t(j - rows.begin) * stride + size_t(i - columns.begin)];
        m = std::max(m, float(std::clamp(reach - distance_to_segment({i + 0.5, j + 0.5}, a, b), 0.0, 1.0)));
      }
  }
  for (int j = rows.begin; j < rows.end; ++j)
    for (int i = columns.begin; i < columns.end; ++i)
      blend(i, j, colour, mask[size_t(j - rows.begin) * stride + size_t(i - columns.begin)]);
  return true;
}

void Canvas::polyline(std::span<const Point> points, Colour colour, double thickness) {
  if (paint_curve(points, colour, thickness)) elements_ += svg::curve(points, colour, thickness);
}

void Canvas::circle(double x, double y, double radius, Colour colour) {
  if (radius > 0 && paint_curve(std::array{Point{x, y}}, colour, 2 * radius))
    elements_ += svg::circle(x, y, radius, colour);
}

double Canvas::text_width(std::string_view text, const TextStyle& style) const {
  return font(style.bold).width(text, style.size * scale_) / scale_;
}

void Canvas::text(double x, double y, std::string_view text, const TextStyle& style) {
  require(style.degrees == 0 || style.degrees == 90, "Canvas::text: degrees must be 0 or 90, got ",
          style.degrees, ".");
  const bool upright = style.degrees == 0;
  const Font& face = font(style.bold);
  const double size = style.size * scale_;
  const double before = style.align == Align::left ? 0 : style.align == Align::centre ? 0.5 : 1;
  // `pen` runs along the text, `base` across it; whole pixels across keep the horizontal strokes sharp
  const double pen = (upright ? x : -y) * scale_ - before * face.width(text, size);
  const double base = std::round((upright ? y : x) * scale_ + face.cap_height(size) / 2);
  if (!(std::abs(pen) < 1e6) || !(std::abs(base) < 1e6)) return;  // far outside, or NaN
  const TextMask mask = face.draw(text, size, pen - std::floor(pen));
  if (mask.coverage.empty()) return;
  elements_ += svg::text(upright ? Point{x, base / scale_} : Point{base / scale_, y}, text, style,
                         face.em(style.size), face.width(text, style.size));
  for (int j = 0; j < mask.height; ++j)
    for (int i = 0; i < mask.width; ++i) {
      const int along = int(std::floor(pen)) + mask.left + i, across = int(base) + mask.top + j;
      const int px = upright ? along : across, py = upright ? across : -1 - along;
      if (px >= 0 && py >= 0 && px < device_width() && py < device_height())
        blend(px, py, style.colour, mask.coverage[size_t(j) * size_t(mask.width) + size_t(i)] / 255.0);
    }
}

}  // namespace uncial::vision
