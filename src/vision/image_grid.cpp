#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/layout.h"

namespace uncial::vision {
namespace {

constexpr double kCaption = 18, kSpace = 10, kMargin = 18;
constexpr double kDigitWidth = 12, kBarWidth = 46;  // of the probabilities beside an image

/// Draws `image` as large as fits into the square at (x, y), with its shape kept.
void draw_fitting(Canvas& canvas, double x, double y, double cell, const Tensor& image,
                  const GridOptions& options) {
  const double H = double(image.size(-2)), W = double(image.size(-1)), longest = std::max({H, W, 1.0});
  const double w = cell * W / longest, h = cell * H / longest;
  canvas.image(x + (cell - w) / 2, y + (cell - h) / 2, w, h, image, options.low, options.high,
               options.inverted);
  canvas.stroke_rect(x + (cell - w) / 2 - 1, y + (cell - h) / 2 - 1, w + 2, h + 2, palette::light);
}

/// One bar a class, from the top down; the true class green, a wrong prediction red.
void draw_probabilities(Canvas& canvas, double x, double y, double cell, const GridCell& content) {
  const double row = cell / double(content.bars.size());
  for (size_t i = 0; i < content.bars.size(); ++i) {
    const bool is_true = int(i) == content.true_class, is_predicted = int(i) == content.predicted_class;
    const Colour colour = is_true ? palette::green : is_predicted ? palette::red : palette::grey;
    const double middle = y + (double(i) + 0.5) * row, p = content.bars[i];
    const TextStyle style{.size = std::clamp(row * 1.25, kLeastSize, 11.0),
                          .colour = colour,
                          .align = Align::centre,
                          .bold = is_true || is_predicted};
    if (row >= 5) canvas.text(x + kDigitWidth / 2, middle, join(i), style);
    canvas.fill_rect(x + kDigitWidth, middle - 0.36 * row, kBarWidth, 0.72 * row, {240, 240, 240});
    canvas.fill_rect(x + kDigitWidth, middle - 0.36 * row,
                     kBarWidth * std::clamp(std::isfinite(p) ? p : 0, 0.0, 1.0), 0.72 * row, colour);
  }
}

}  // namespace

Canvas image_grid(const std::vector<GridCell>& cells, const GridOptions& options) {
  require(options.columns >= 1 && options.cell >= 8 && options.cell <= 4096,
          "image_grid: needs columns >= 1 and cell in [8, 4096], got ", options.columns, " and ",
          options.cell, ".");
  const int columns = std::clamp(int(cells.size()), 1, options.columns);
  const int rows = int((cells.size() + size_t(columns) - 1) / size_t(columns));
  const auto any = [&](auto has) { return std::any_of(cells.begin(), cells.end(), has); };
  const bool captions = any([](const GridCell& c) { return !c.caption.empty(); });
  const bool bars = any([](const GridCell& c) { return !c.bars.empty(); });

  const Canvas ruler(1, 1);
  const TextStyle label{.size = kLabelSize, .align = Align::right};
  const double labels = options.row_labels.empty() ? 0 : widest(ruler, options.row_labels, label) + 14;
  const double width = options.cell + (bars ? 6 + kDigitWidth + kBarWidth : 0),
               across = width + kSpace + (bars ? 8 : 0);
  const double height = options.cell + (captions ? kCaption : 0) + kSpace,
               top = std::max(kMargin, title_height(options.title) + 6);
  Canvas canvas(int(std::ceil(2 * kMargin + labels + across * columns - kSpace)),
                int(std::ceil(top + height * std::max(rows, 1) + kMargin - kSpace)));
  draw_title(canvas, options.title);
  for (size_t i = 0; i < cells.size(); ++i) {
    const GridCell& content = cells[i];
    const size_t row = i / size_t(columns), column = i % size_t(columns);
    const double x = kMargin + labels + across * double(column), y = top + height * double(row);
    if (column == 0 && row < options.row_labels.size())
      canvas.text(x - 12, y + options.cell / 2, options.row_labels[row], label);
    if (content.image.defined()) draw_fitting(canvas, x, y, options.cell, content.image, options);
    if (!content.bars.empty()) draw_probabilities(canvas, x + options.cell + 6, y, options.cell, content);
    const TextStyle style{.size = kSmallSize, .colour = content.caption_colour, .align = Align::centre};
    canvas.text(x + width / 2, y + options.cell + 11, content.caption,
                fitted(canvas, content.caption, style, width));
  }
  return canvas;
}

}  // namespace uncial::vision
