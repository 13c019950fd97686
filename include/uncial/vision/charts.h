#pragma once
/// @file charts.h
/// The pictures that training and looking at a classifier need, drawn on a Canvas.

#include <optional>
#include <string>
#include <vector>

#include "uncial/core/tensor.h"
#include "uncial/vision/canvas.h"

namespace uncial::vision {

/// The shape of a curve's points, so that curves differ in more than colour.
enum class Marker { disc, ring, square, frame };

/// One curve; y may hold NaN where there is no point.
struct Series {
  std::string label = "";
  std::vector<double> x = {}, y = {};
  Colour colour = palette::blue;
  bool dashed = false;
  Marker marker = Marker::disc;  ///< left out when there are more than 40 points
};
struct LineChart {
  std::string title = "", x_label = "", y_label = "";
  std::vector<Series> series = {};
  std::optional<double> marked_x = std::nullopt;  ///< a vertical line, e.g. the best epoch
  std::string mark_label = "";
  bool log_x = false, log_y = false;  ///< a logarithmic axis leaves out values that are not positive
  std::optional<double> y_low = std::nullopt, y_high = std::nullopt;
};
/// Draws title, legend, axes with round ticks and the curves into the box. A title and a legend that are too
/// wide go on in the next line. Throws a usage Error when a series' x and y differ in length, for y_low <= 0
/// with log_y, and when the box leaves no room.
void draw_chart(Canvas& canvas, double x, double y, double w, double h, const LineChart& chart);
/// Several charts side by side in one picture.
Canvas chart_figure(const std::vector<LineChart>& charts, int width_each = 560, int height = 400);

/// Bars with a label each and optional error bars.
struct BarChart {
  std::string title = "", y_label = "";
  std::vector<std::string> labels = {};
  std::vector<double> values = {}, errors = {};
  std::vector<Colour> colours = {};
  std::vector<std::string> value_texts = {};  ///< written above the bars
  std::optional<double> low = std::nullopt;   ///< lower end of the axis; default 0
};
/// Draws the bars into the box; NaN leaves a gap, long labels are wrapped. Throws a usage Error when the
/// vectors differ in length (errors, colours and value_texts may be empty), and when the box leaves no room.
void draw_bars(Canvas& canvas, double x, double y, double w, double h, const BarChart& chart);

/// Repeated measurements: a dot for each, and a line at their mean with the standard deviation about it.
struct SpreadChart {
  std::string title = "", y_label = "";
  std::vector<std::string> labels = {};
  std::vector<std::vector<double>> values = {};  ///< those of one label
  std::vector<Colour> colours = {};
  std::vector<std::string> value_texts = {};  ///< written above the dots
};
/// Draws the dots into the box, on an axis that shows their range and need not begin at 0; what is not finite
/// is left out. Throws a usage Error like draw_bars().
void draw_spread(Canvas& canvas, double x, double y, double w, double h, const SpreadChart& chart);

/// counts (classes, classes) int64: rows true, columns predicted. Two panels: counts, and rates per true
/// class. Throws a usage Error for another shape or dtype and for more than 64 classes.
Canvas confusion_figure(const Tensor& counts, const std::vector<std::string>& classes,
                        const std::string& title);

/// One cell of a grid of images.
struct GridCell {
  Tensor image = {};  ///< (H, W), (1, H, W) or (3, H, W), values in [low, high]
  std::string caption = "";
  Colour caption_colour = palette::black;
  std::vector<double> bars = {};  ///< probabilities drawn as small bars beside the image, one a class
  int true_class = -1, predicted_class = -1;  ///< mark two of the bars
};
struct GridHeading {
  int row = 0;
  std::string text = "";
};
struct GridOptions {
  std::string title = "";
  int columns = 10;
  double cell = 72;      ///< side of an image, in pixels
  bool inverted = true;  ///< ink dark on light paper
  double low = 0, high = 1;
  std::vector<std::string> row_labels = {};
  std::string note = "";                   ///< in small type below the title
  std::vector<GridHeading> headings = {};  ///< above these rows
  int lead_columns = 0;                    ///< so many columns at the left stand apart
};
/// Cells in rows from the top left. An undefined image leaves its place free.
Canvas image_grid(const std::vector<GridCell>& cells, const GridOptions& options);

/// Feature maps of one layer.
struct FeatureLayer {
  std::string name = "";
  Tensor maps = {};  ///< (C, H, W); at most `channels` of them are shown
};
/// The input and, a row a layer, its maps, all of one layer on one scale: diverging about 0 when one of them
/// is negative, else from dark to yellow. Throws a usage Error for maps of another rank.
Canvas feature_figure(const Tensor& input, const std::vector<FeatureLayer>& layers, const std::string& title,
                      int channels = 16);
/// Convolution filters (K, C, R, S), zero in the middle of a diverging scale. With one channel a square a
/// filter, up to 64; else a row a filter, up to 16, with a square a channel, up to 32. Throws a usage Error
/// for another rank.
Canvas filter_figure(const Tensor& weights, const std::string& title);

}  // namespace uncial::vision
