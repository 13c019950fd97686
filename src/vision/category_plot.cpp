#include "vision/category_plot.h"

#include <algorithm>

namespace uncial::vision {
namespace {

constexpr double kLine = 16;  // of the labels
constexpr TextStyle kLabel{.size = kTickSize, .colour = kText, .align = Align::centre};

Axis axis_of_height(AxisWish wish, double height) {
  wish.ticks = std::max(2, int(height / 45));
  return make_axis(wish);
}

double labels_width(const Canvas& canvas, const Axis& axis) {
  return widest(canvas, axis.labels, {.size = kTickSize});
}

void draw_texts(Canvas& canvas, Box box, const CategoryPlot& plot, const CategoryTexts& texts,
                double label_width) {
  for (size_t i = 0; i < plot.axis.ticks.size(); ++i) {
    const double y = plot.at(plot.axis.ticks[i]);
    canvas.line(plot.left, y, plot.left + plot.width, y, kGrid);
    canvas.text(plot.left - 7, y, plot.axis.labels[i],
                {.size = kTickSize, .colour = kText, .align = Align::right});
  }
  for (size_t i = 0; i < texts.labels.size(); ++i) {
    const std::vector<std::string> lines = wrapped(canvas, texts.labels[i], kLabel, label_width);
    for (size_t k = 0; k < lines.size(); ++k)
      canvas.text(plot.middle(i), plot.bottom + 14 + kLine * double(k), lines[k],
                  fitted(canvas, lines[k], kLabel, plot.slot - 4));
  }
  TextStyle upwards =
      fitted(canvas, texts.y_label, {.size = kLabelSize, .colour = kText, .align = Align::centre},
             plot.bottom - plot.top);
  upwards.degrees = 90;
  canvas.text(box.x + 16, (plot.top + plot.bottom) / 2, texts.y_label, upwards);
}

}  // namespace

double CategoryPlot::at(double value) const {
  return bottom - std::clamp(axis.place(value), 0.0, 1.0) * (bottom - top);
}

void CategoryPlot::draw_frame(Canvas& canvas) const {
  canvas.line(left, top, left, bottom, kFrame);
  canvas.line(left, at(std::max(0.0, axis.low)), left + width, at(std::max(0.0, axis.low)), kFrame);
}

void CategoryPlot::draw_value(Canvas& canvas, size_t column, double y, const std::string& text) const {
  const TextStyle style{.size = kTickSize, .align = Align::centre, .bold = true};
  canvas.text(middle(column), y - 11, text, fitted(canvas, text, style, slot - 4));
}

CategoryPlot draw_category_plot(Canvas& canvas, Box box, const CategoryTexts& texts, AxisWish wish) {
  const auto require_room = [&](double pixels) {
    require(pixels > 20, texts.caller, ": ", box.w, " x ", box.h, " pixels leave no room to plot in.");
  };
  const double columns = double(std::max<size_t>(texts.labels.size(), 1));
  CategoryPlot plot{};
  plot.top = box.y + 10;
  plot.top += draw_chart_title(canvas, box.x + 14, plot.top, box.w - 28, texts.title);
  plot.top += texts.values ? 24 : 8;
  // The labels' height depends on the columns' width, that on the axis labels' width, that on the height: so
  // it is reckoned with a first axis, whose labels are as wide as the final one's to a few pixels.
  const double left_of_axis = box.x + 18 + (texts.y_label.empty() ? 0 : 22), right = box.x + box.w - 22;
  const Axis first = axis_of_height(wish, box.y + box.h - 40 - plot.top);
  const double label_width = (right - left_of_axis - labels_width(canvas, first)) / columns - 8;
  size_t lines = 1;
  for (const std::string& label : texts.labels)
    lines = std::max(lines, wrapped(canvas, label, kLabel, label_width).size());
  plot.bottom = box.y + box.h - 18 - kLine * double(lines);
  require_room(plot.bottom - plot.top);
  plot.axis = axis_of_height(wish, plot.bottom - plot.top);
  plot.left = left_of_axis + labels_width(canvas, plot.axis);
  plot.width = right - plot.left;
  require_room(plot.width);
  plot.slot = plot.width / columns;
  draw_texts(canvas, box, plot, texts, label_width);
  return plot;
}

}  // namespace uncial::vision
