#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/layout.h"

namespace uncial::vision {
namespace {

constexpr double kCaption = 18, kSpace = 10, kMargin = 18;
constexpr double kDigitWidth = 13, kBarWidth = 50;  // of the probabilities beside an image
constexpr double kHeading = 30, kLeadGap = 16;
constexpr TextStyle kRowLabel{.size = kLabelSize, .align = Align::right};

/// Draws `image` as large as fits into the square at (x, y), with its shape kept.
void draw_fitting(Canvas& canvas, double x, double y, double cell, const Tensor& image,
                  const GridOptions& options) {
  const double H = double(image.size(-2)), W = double(image.size(-1)), longest = std::max({H, W, 1.0});
  const double w = cell * W / longest, h = cell * H / longest;
  canvas.image(x + (cell - w) / 2, y + (cell - h) / 2, w, h, image, options.low, options.high,
               options.inverted);
  canvas.stroke_rect(x + (cell - w) / 2 - 1, y + (cell - h) / 2 - 1, w + 2, h + 2, palette::light);
}

/// One bar a class, from the top down; the true class blue, a wrong prediction orange-red: green would be as
/// grey as the others to many.
void draw_probabilities(Canvas& canvas, double x, double y, double cell, const GridCell& content) {
  const double row = cell / double(content.bars.size());
  for (size_t i = 0; i < content.bars.size(); ++i) {
    const bool is_true = int(i) == content.true_class, is_predicted = int(i) == content.predicted_class;
    const Colour colour = is_true ? palette::blue : is_predicted ? palette::red : palette::grey;
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

/// Where the cells are.
struct GridLayout {
  int columns, rows;
  double labels;  // width of the row labels
  double width, height, across;
  double top = 0;  // of the first row and its headings

  GridLayout(const std::vector<GridCell>& cells, const GridOptions& options) {
    const auto any = [&](auto has) { return std::any_of(cells.begin(), cells.end(), has); };
    columns = std::clamp(int(cells.size()), 1, options.columns);
    rows = int((cells.size() + size_t(columns) - 1) / size_t(columns));
    const bool captions = any([](const GridCell& c) { return !c.caption.empty(); });
    const bool bars = any([](const GridCell& c) { return !c.bars.empty(); });
    labels = options.row_labels.empty() ? 0 : widest(Canvas(1, 1), options.row_labels, kRowLabel) + 14;
    width = options.cell + (bars ? 6 + kDigitWidth + kBarWidth : 0);
    across = width + kSpace + (bars ? 8 : 0);
    height = options.cell + (captions ? kCaption : 0) + kSpace;
  }
  double left_of(int column, const GridOptions& options) const {
    const bool apart = options.lead_columns > 0 && column >= options.lead_columns;
    return kMargin + labels + across * column + (apart ? kLeadGap : 0);
  }
  double top_of(int row, const GridOptions& options) const {
    const auto above = std::count_if(options.headings.begin(), options.headings.end(),
                                     [row](const GridHeading& h) { return h.row <= row; });
    return top + height * row + kHeading * double(above);
  }
};

void draw_cell(Canvas& canvas, double x, double y, const GridCell& content, const GridLayout& layout,
               const GridOptions& options) {
  if (content.image.defined()) draw_fitting(canvas, x, y, options.cell, content.image, options);
  if (!content.bars.empty()) draw_probabilities(canvas, x + options.cell + 6, y, options.cell, content);
  const TextStyle style{.size = kSmallSize, .colour = content.caption_colour, .align = Align::centre};
  canvas.text(x + layout.width / 2, y + options.cell + 11, content.caption,
              fitted(canvas, content.caption, style, layout.width));
}

}  // namespace

Canvas image_grid(const std::vector<GridCell>& cells, const GridOptions& options) {
  require(options.columns >= 1 && options.cell >= 8 && options.cell <= 4096,
          "image_grid: needs columns >= 1 and cell in [8, 4096], got ", options.columns, " and ",
          options.cell, ".");
  GridLayout layout(cells, options);
  const int last_row = std::max(layout.rows, 1) - 1;
  const double width = layout.left_of(layout.columns - 1, options) + layout.across - kSpace + kMargin;
  const Head head(options.title, options.note, width);
  layout.top = std::max(kMargin, head.height() + 6);
  Canvas canvas(int(std::ceil(width)),
                int(std::ceil(layout.top_of(last_row, options) + layout.height - kSpace + kMargin)));
  head.draw(canvas);
  for (const GridHeading& heading : options.headings)
    if (heading.row >= 0 && heading.row <= last_row) {
      const TextStyle style{.size = kLabelSize, .bold = true};
      const double room = width - 2 * kMargin - layout.labels;
      canvas.text(kMargin + layout.labels, layout.top_of(heading.row, options) - 14, heading.text,
                  fitted(canvas, heading.text, style, room));
    }
  for (int i = 0; i < int(cells.size()); ++i) {
    const int row = i / layout.columns, column = i % layout.columns;
    const double x = layout.left_of(column, options), y = layout.top_of(row, options);
    if (column == 0 && row < int(options.row_labels.size()))
      canvas.text(x - 12, y + options.cell / 2, options.row_labels[size_t(row)], kRowLabel);
    draw_cell(canvas, x, y, cells[size_t(i)], layout, options);
  }
  return canvas;
}

}  // namespace uncial::vision
