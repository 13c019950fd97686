#pragma once
// The frame of charts that have a label for each of a few columns.

#include <string>
#include <vector>

#include "uncial/vision/canvas.h"
#include "vision/axis.h"
#include "vision/layout.h"

namespace uncial::vision {

/// Where the columns of a chart are.
struct CategoryPlot {
  double left, top, width, bottom, slot;
  Axis axis;

  double at(double value) const;  ///< height of a value, kept inside the plot
  double middle(size_t column) const { return left + (double(column) + 0.5) * slot; }
  /// The axes; called last, so that they lie over the bars.
  void draw_frame(Canvas& canvas) const;
  /// `text` in bold above `y`.
  void draw_value(Canvas& canvas, size_t column, double y, const std::string& text) const;
};

/// What surrounds the plot.
struct CategoryTexts {
  std::string caller, title, y_label;
  std::vector<std::string> labels;
  bool values;  ///< leave room above the highest column
};

/// Draws title, grid and labels into `box`. `wish` is what the axis has to show; its ticks are chosen here.
/// Throws a usage Error when the box leaves no room.
CategoryPlot draw_category_plot(Canvas& canvas, Box box, const CategoryTexts& texts, AxisWish wish);

}  // namespace uncial::vision
