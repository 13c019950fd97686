#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/axis.h"
#include "vision/layout.h"

namespace uncial::vision {
namespace {

constexpr double kLegendRow = 20, kSwatch = 24, kGap = 18;
constexpr size_t kMostMarkers = 40;  // beyond that they hide the curve

/// Smallest and largest of the finite values (positive ones on a logarithmic axis); [0, 1] when there are
/// none.
AxisWish extent(const LineChart& chart, bool of_y) {
  AxisWish wish{.low = INFINITY, .high = -INFINITY, .whole = !of_y, .log = of_y ? chart.log_y : chart.log_x};
  for (const Series& s : chart.series)
    for (size_t i = 0; i < s.x.size(); ++i) {
      const double v = of_y ? s.y[i] : s.x[i];
      if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i]) || (wish.log && v <= 0)) continue;
      wish.low = std::min(wish.low, v), wish.high = std::max(wish.high, v);
      wish.whole = wish.whole && v == std::round(v);
    }
  if (!of_y && chart.marked_x) {
    wish.low = std::min(wish.low, *chart.marked_x), wish.high = std::max(wish.high, *chart.marked_x);
  }
  if (wish.low > wish.high) wish.low = wish.log ? 0.1 : 0, wish.high = 1;
  return wish;
}

/// As many ticks as have room for their labels.
Axis horizontal_axis(const Canvas& canvas, const LineChart& chart, double width) {
  AxisWish wish = extent(chart, false);
  wish.margin = 0.02;
  for (wish.ticks = std::max(1, int(width / 50));; --wish.ticks) {
    const Axis axis = make_axis(wish);
    const double needed = double(axis.ticks.size()) * (widest(canvas, axis.labels, {.size = kTickSize}) + 14);
    if (needed <= width || wish.ticks <= 1) return axis;
  }
}

void draw_marker(Canvas& canvas, double x, double y, const Series& s) {
  switch (s.marker) {
    case Marker::disc:
      return canvas.circle(x, y, 3.2, s.colour);
    case Marker::ring:
      canvas.circle(x, y, 3.8, s.colour);
      return canvas.circle(x, y, 2, palette::white);
    case Marker::square:
      return canvas.fill_rect(x - 3, y - 3, 6, 6, s.colour);
    case Marker::frame:
      canvas.fill_rect(x - 3.5, y - 3.5, 7, 7, s.colour);
      return canvas.fill_rect(x - 1.7, y - 1.7, 3.4, 3.4, palette::white);
  }
}

/// Draws the labelled series from left to right, in rows; returns the height of the rows.
double draw_legend(Canvas& canvas, Box box, const std::vector<Series>& series) {
  const TextStyle style{.size = kTickSize, .colour = kText};
  double x = box.x, y = box.y;
  bool any = false;
  for (const Series& s : series) {
    if (s.label.empty()) continue;
    const TextStyle own = fitted(canvas, s.label, style, box.w - kSwatch - 6);
    const double width = kSwatch + 6 + canvas.text_width(s.label, own);
    if (any && x + width > box.x + box.w) x = box.x, y += kLegendRow;
    any = true;
    const double middle = y + kLegendRow / 2;
    if (s.dashed)
      canvas.dashed_line(x, middle, x + kSwatch, middle, s.colour, 2, 5);
    else
      canvas.line(x, middle, x + kSwatch, middle, s.colour, 2);
    if (s.x.size() <= kMostMarkers) draw_marker(canvas, x + kSwatch / 2, middle, s);
    canvas.text(x + kSwatch + 6, middle, s.label, own);
    x += width + kGap;
  }
  return any ? y + kLegendRow - box.y : 0;
}

/// The curve in canvas coordinates, cut where it leaves the box above or below; a NaN point separates its
/// pieces.
std::vector<Point> placed(const Series& s, const Axis& x, const Axis& y, Box box) {
  std::vector<Point> points;
  const double top = box.y, bottom = box.y + box.h;
  const auto crossing = [](Point a, Point b, double at) {
    return Point{a.x + (b.x - a.x) * (at - a.y) / (b.y - a.y), at};
  };
  Point previous{NAN, NAN};
  for (size_t i = 0; i < s.x.size(); ++i) {
    const Point p{box.x + x.place(s.x[i]) * box.w, bottom - y.place(s.y[i]) * box.h};
    const bool defined = std::isfinite(p.x) && std::isfinite(p.y),
               inside = defined && p.y >= top && p.y <= bottom;
    if (defined && std::isfinite(previous.x)) {
      const auto outside = [&](Point q) { return q.y < top ? -1 : q.y > bottom ? 1 : 0; };
      const int from = outside(previous), to = outside(p);
      if (from != 0 && to != from) points.push_back(crossing(previous, p, from < 0 ? top : bottom));
      if (to != 0 && to != from) points.push_back(crossing(previous, p, to < 0 ? top : bottom));
    }
    points.push_back(inside ? p : Point{NAN, NAN});
    previous = defined ? p : Point{NAN, NAN};
  }
  return points;
}

/// The same curve with gaps.
std::vector<Point> dashed(const std::vector<Point>& points, double dash) {
  std::vector<Point> pieces;
  double done = 0;  // length from the start of the curve
  for (size_t i = 1; i < points.size(); ++i) {
    const Point a = points[i - 1], b = points[i];
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    if (!(length > 0)) continue;
    for (double s = 0; s < length;) {
      const bool ink = std::fmod(done + s, 2 * dash) < dash;
      const double next = std::min(length, s + dash - std::fmod(done + s, dash) + 1e-6);
      if (ink) {
        const auto at = [&](double t) {
          return Point{a.x + (b.x - a.x) * t / length, a.y + (b.y - a.y) * t / length};
        };
        pieces.insert(pieces.end(), {Point{NAN, NAN}, at(s), at(next)});
      }
      s = next;
    }
    done += length;
  }
  return pieces;
}

void draw_series(Canvas& canvas, const Series& s, const Axis& x, const Axis& y, Box box) {
  const std::vector<Point> points = placed(s, x, y, box);
  canvas.polyline(s.dashed ? dashed(points, 5) : points, s.colour, 2);
  for (size_t i = 0; i < s.x.size(); ++i) {
    const Point p{box.x + x.place(s.x[i]) * box.w, box.y + (1 - y.place(s.y[i])) * box.h};
    if (s.x.size() <= kMostMarkers && p.y >= box.y && p.y <= box.y + box.h) draw_marker(canvas, p.x, p.y, s);
  }
}

void draw_axes(Canvas& canvas, const Axis& x, const Axis& y, Box box) {
  for (size_t i = 0; i < y.ticks.size(); ++i) {
    const double at = box.y + (1 - y.place(y.ticks[i])) * box.h;
    canvas.line(box.x, at, box.x + box.w, at, kGrid);
    canvas.text(box.x - 7, at, y.labels[i], {.size = kTickSize, .colour = kText, .align = Align::right});
  }
  for (size_t i = 0; i < x.ticks.size(); ++i) {
    const double at = box.x + x.place(x.ticks[i]) * box.w;
    canvas.line(at, box.y + box.h, at, box.y + box.h + 4, kFrame);
    canvas.text(at, box.y + box.h + 14, x.labels[i],
                {.size = kTickSize, .colour = kText, .align = Align::centre});
  }
  canvas.line(box.x, box.y, box.x, box.y + box.h, kFrame);
  canvas.line(box.x, box.y + box.h, box.x + box.w, box.y + box.h, kFrame);
}

/// The marked place: its label stands above the plot, where no curve is.
void draw_mark(Canvas& canvas, const LineChart& chart, const Axis& x, Box box) {
  const double at = box.x + x.place(*chart.marked_x) * box.w;
  canvas.dashed_line(at, box.y, at, box.y + box.h, palette::grey, 1, 4);
  const TextStyle style =
      fitted(canvas, chart.mark_label, {.size = kSmallSize, .colour = palette::grey}, box.w);
  const double width = canvas.text_width(chart.mark_label, style);
  canvas.text(std::clamp(at - width / 2, box.x, std::max(box.x, box.x + box.w - width)), box.y - 9,
              chart.mark_label, style);
}

}  // namespace

void draw_chart(Canvas& canvas, double x, double y, double w, double h, const LineChart& chart) {
  for (const Series& s : chart.series)
    require(s.x.size() == s.y.size(), "draw_chart: series \"", s.label, "\" has ", s.x.size(), " x and ",
            s.y.size(), " y values.");
  require(!chart.log_y || chart.y_low.value_or(1) > 0, "draw_chart: a logarithmic axis needs y_low > 0, got ",
          chart.y_low.value_or(1), ".");
  double top = y + 10;
  const double text_left = x + 14, text_width = w - 28;
  top += draw_chart_title(canvas, text_left, top, text_width, chart.title);
  top += draw_legend(canvas, {text_left, top, text_width, 0}, chart.series) + 8;
  if (chart.marked_x && !chart.mark_label.empty()) top += 16;
  const double bottom = y + h - (chart.x_label.empty() ? 30 : 54);
  require(bottom - top > 20, "draw_chart: ", w, " x ", h, " pixels leave no room to plot in.");

  AxisWish wish = extent(chart, true);
  wish.fixed_low = chart.y_low, wish.fixed_high = chart.y_high;
  wish.ticks = std::max(2, int((bottom - top) / 45));
  const Axis y_axis = make_axis(wish);
  const double left =
      x + 18 + (chart.y_label.empty() ? 0 : 22) + widest(canvas, y_axis.labels, {.size = kTickSize});
  const Box box{left, top, x + w - 22 - left, bottom - top};
  require(box.w > 20, "draw_chart: ", w, " x ", h, " pixels leave no room to plot in.");
  const Axis x_axis = horizontal_axis(canvas, chart, box.w);

  draw_axes(canvas, x_axis, y_axis, box);
  if (chart.marked_x) draw_mark(canvas, chart, x_axis, box);
  for (const Series& s : chart.series) draw_series(canvas, s, x_axis, y_axis, box);
  const TextStyle label{.size = kLabelSize, .colour = kText, .align = Align::centre};
  canvas.text(box.x + box.w / 2, y + h - 16, chart.x_label, fitted(canvas, chart.x_label, label, box.w));
  TextStyle upwards = fitted(canvas, chart.y_label, label, box.h);
  upwards.degrees = 90;
  canvas.text(x + 16, box.y + box.h / 2, chart.y_label, upwards);
}

Canvas chart_figure(const std::vector<LineChart>& charts, int width_each, int height) {
  Canvas canvas(std::max(1, width_each * int(charts.size())), height);
  for (size_t i = 0; i < charts.size(); ++i)
    draw_chart(canvas, double(i) * width_each, 0, width_each, height, charts[i]);
  return canvas;
}

}  // namespace uncial::vision
