#include <algorithm>
#include <cmath>
#include <functional>

#include "uncial/vision/charts.h"
#include "vision/axis.h"
#include "vision/layout.h"

namespace uncial::vision {
namespace {

constexpr Colour kRight{0, 90, 140}, kWrong{190, 70, 0};  // full strength of the diagonal and of the rest
constexpr int64_t kMostClasses = 64;

/// What one cell shows: how strongly it is coloured (0..1) and what is written in it.
struct Cell {
  double strength;
  std::string text;
};

/// One panel: a square of cells, class names on the left and below.
void draw_panel(Canvas& canvas, double x, double y, double cell, const std::vector<std::string>& classes,
                const std::string& title, double names_width,
                const std::function<Cell(int64_t, int64_t)>& content) {
  const int64_t n = int64_t(classes.size());
  const double side = cell * double(n);
  canvas.text(x + side / 2, y - 18, title, {.size = kLabelSize, .align = Align::centre, .bold = true});
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < n; ++column) {
      const Cell c = content(row, column);
      const Colour colour = mix(palette::white, row == column ? kRight : kWrong, c.strength);
      const double left = x + cell * double(column), top = y + cell * double(row);
      canvas.fill_rect(left, top, cell, cell, colour);
      const TextStyle style{
          .size = std::min(kTickSize, cell * 0.45), .colour = ink_on(colour), .align = Align::centre};
      if (style.size >= kLeastSize)
        canvas.text(left + cell / 2, top + cell / 2, c.text, fitted(canvas, c.text, style, cell - 3));
    }
  for (int64_t i = 0; i <= n; ++i) {
    canvas.line(x, y + cell * double(i), x + side, y + cell * double(i), palette::light);
    canvas.line(x + cell * double(i), y, x + cell * double(i), y + side, palette::light);
  }
  canvas.stroke_rect(x - 0.5, y - 0.5, side + 1, side + 1, kFrame);
  const bool upright = widest(canvas, classes, {.size = std::min(kTickSize, cell * 0.9)}) <= cell - 2;
  for (int64_t i = 0; i < n; ++i) {
    const std::string& name = classes[size_t(i)];
    const double middle = cell * (double(i) + 0.5);
    const TextStyle style{.size = std::min(kTickSize, cell * 0.9), .colour = kText};
    TextStyle beside = fitted(canvas, name, style, names_width), below = beside;
    beside.align = Align::right;
    canvas.text(x - 8, y + middle, name, beside);
    if (upright) {
      below.align = Align::centre;
      canvas.text(x + middle, y + side + 12, name, below);
    } else {
      below.align = Align::right, below.degrees = 90;
      canvas.text(x + middle, y + side + 6, name, below);
    }
  }
  const TextStyle axis{.size = kLabelSize, .colour = kText, .align = Align::centre};
  canvas.text(x + side / 2, y + side + names_width + 26, "predicted class", axis);
  canvas.text(x - names_width - 22, y + side / 2, "true class",
              {.size = kLabelSize, .colour = kText, .align = Align::centre, .degrees = 90});
}

}  // namespace

Canvas confusion_figure(const Tensor& counts, const std::vector<std::string>& classes,
                        const std::string& title) {
  const int64_t n = int64_t(classes.size());
  require(counts.defined() && counts.shape() == Shape{n, n} && counts.dtype() == DType::int64,
          "confusion_figure: counts must be int64 (", n, ", ", n, ") for ", n, " class names, got ",
          counts.defined() ? join(counts.dtype(), " ", counts.shape()) : "an undefined tensor", ".");
  require(n >= 1 && n <= kMostClasses, "confusion_figure: draws 1 to ", kMostClasses, " classes, got ", n,
          ".");
  const Tensor table = counts.contiguous();
  const int64_t* values = table.data<int64_t>();
  const auto count_at = [&](int64_t row, int64_t column) { return double(values[row * n + column]); };
  double most = 1;
  std::vector<double> total(size_t(n), 0.0);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < n; ++column) {
      most = std::max(most, count_at(row, column));
      total[size_t(row)] += count_at(row, column);
    }

  const Canvas ruler(1, 1);
  const double names = std::clamp(widest(ruler, classes, {.size = kTickSize}), 10.0, 110.0);
  const double cell = std::clamp(440.0 / double(n), 14.0, std::max(60.0, 200.0 / double(n))),
               side = cell * double(n);
  const double left = names + 40, step = left + side + 30;
  const Head head(title, "", 2 * step);
  const double top = head.height() + 44;
  Canvas canvas(int(std::ceil(2 * step)), int(std::ceil(top + side + names + 44)));
  head.draw(canvas);
  draw_panel(canvas, left, top, cell, classes, "images", names, [&](int64_t row, int64_t column) {
    const double v = count_at(row, column);
    // Logarithmic: the few errors must not vanish beside the thousands that are right.
    return Cell{std::log1p(v) / std::log1p(most), v > 0 ? format_fixed(v, 0) : ""};
  });
  draw_panel(canvas, step + left, top, cell, classes, "% of the true class", names,
             [&](int64_t row, int64_t column) {
               const double v = total[size_t(row)] > 0 ? count_at(row, column) / total[size_t(row)] : 0;
               return Cell{std::cbrt(v), v > 0 ? format_fixed(100 * v, v < 0.9995 && v >= 0.1 ? 1
                                                                       : v < 0.1              ? 2
                                                                                              : 0)
                                               : ""};
             });
  return canvas;
}

}  // namespace uncial::vision
