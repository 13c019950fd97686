#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/axis.h"
#include "vision/layout.h"

namespace uncial::vision {
namespace {

constexpr double kMargin = 20, kSpace = 5;

/// Which colours show the values from `low` to `high`.
struct Scale {
  double low = INFINITY, high = -INFINITY;
  ColourMap map = viridis;
};

/// Of the finite values, opened a little when there is only one; [0, 1] when there is none. Centred on 0 and
/// diverging when one of them is negative.
Scale scale_of(const Tensor& x) {
  const Tensor values = x.detach().to(Device::cpu()).to(DType::float32).contiguous();
  Scale s;
  for (float v : values.span<float>())
    if (std::isfinite(v)) s.low = std::min(s.low, double(v)), s.high = std::max(s.high, double(v));
  if (s.low > s.high) return {0, 1};
  if (s.low < 0) {
    const double most = std::max(-s.low, s.high);
    return {-most, most, diverging};
  }
  if (s.low == s.high) return {s.low - 0.5, s.high + 0.5};
  return s;
}

/// Plane `index` of a (C, H, W) or (K, C, R, S) tensor, counting through all leading axes.
Tensor plane(const Tensor& x, int64_t index) {
  const Tensor values = x.detach().to(Device::cpu()).to(DType::float32).contiguous();
  const int64_t H = values.size(-2), W = values.size(-1);
  return from_values(std::span<const float>(values.data<float>() + index * H * W, size_t(H * W)), {H, W});
}

/// The scale with the values beside its ends, and beside its middle when that is 0.
void draw_scale(Canvas& canvas, double x, double y, double h, const Scale& scale) {
  constexpr int kSteps = 128;
  Tensor ramp = empty({kSteps, 1});
  for (int i = 0; i < kSteps; ++i) ramp.data<float>()[i] = float(1 - (i + 0.5) / kSteps);
  canvas.heat_map(x, y, 10, h, ramp, 0, 1, scale.map);
  canvas.stroke_rect(x - 0.5, y - 0.5, 11, h + 1, kFrame);
  const TextStyle style{.size = kSmallSize, .colour = kText};
  canvas.text(x + 15, y + 5, format_fixed(scale.high, 2), style);
  if (scale.low == -scale.high) canvas.text(x + 15, y + h / 2, "0", style);
  canvas.text(x + 15, y + h - 5, format_fixed(scale.low, 2), style);
}

void draw_square(Canvas& canvas, double x, double y, double side, const Tensor& values, const Scale& scale) {
  canvas.heat_map(x, y, side, side, values, scale.low, scale.high, scale.map);
  canvas.stroke_rect(x - 1, y - 1, side + 2, side + 2, palette::light);
}

constexpr double kInput = 168, kCell = 56, kLayerHeading = 26, kLayerSpace = 12, kHelpLine = 17;
constexpr TextStyle kHelp{.size = kSmallSize, .colour = kText};

/// How to read maps on these scales, in lines as wide as the input.
std::vector<std::string> help_for(const std::vector<Scale>& scales) {
  const auto shows = [&](ColourMap map) {
    return std::any_of(scales.begin(), scales.end(), [map](const Scale& s) { return s.map == map; });
  };
  std::string help;
  if (shows(diverging)) help += "White is 0, orange positive, blue negative. ";
  if (shows(viridis)) help += "Purple is the least value of a layer, yellow the largest.";
  return wrapped(Canvas(1, 1), help, kHelp, kInput);
}

void draw_input(Canvas& canvas, double top, const Tensor& input, const std::vector<std::string>& help) {
  canvas.text(kMargin, top + 10, "input", {.size = kLabelSize, .bold = true});
  const Scale range = scale_of(input);
  top += kLayerHeading;
  canvas.image(kMargin, top, kInput, kInput, input, range.low, range.high, true);
  canvas.stroke_rect(kMargin - 1, top - 1, kInput + 2, kInput + 2, palette::light);
  for (size_t i = 0; i < help.size(); ++i)
    canvas.text(kMargin, top + kInput + 20 + kHelpLine * double(i), help[i], kHelp);
}

/// Heading, maps and scale of one layer from (left, y) down.
void draw_layer(Canvas& canvas, double left, double y, const FeatureLayer& layer, const Scale& scale,
                int64_t shown, int columns) {
  const TextStyle heading{.size = kLabelSize, .bold = true};
  const int64_t C = layer.maps.size(0);
  const std::string size = join(layer.maps.size(1), " × ", layer.maps.size(2));
  canvas.text(left, y + 10, layer.name, heading);
  canvas.text(
      left + canvas.text_width(layer.name, heading) + 12, y + 10,
      shown < C ? join(shown, " of ", C, " maps, ", size) : join(C, C == 1 ? " map, " : " maps, ", size),
      {.size = kTickSize, .colour = kText});
  y += kLayerHeading;
  for (int64_t c = 0; c < shown; ++c)
    draw_square(canvas, left + double(c % columns) * (kCell + kSpace),
                y + double(c / columns) * (kCell + kSpace), kCell, plane(layer.maps, c), scale);
  if (shown > 0)
    draw_scale(canvas, left + double(std::min<int64_t>(shown, columns)) * (kCell + kSpace) + 5, y, kCell,
               scale);
}

}  // namespace

Canvas feature_figure(const Tensor& input, const std::vector<FeatureLayer>& layers, const std::string& title,
                      int channels) {
  require(channels >= 1 && channels <= 128, "feature_figure: channels must be in [1, 128], got ", channels,
          ".");
  const int columns = std::min(channels, 16);
  std::vector<double> heights;
  std::vector<Scale> scales;
  double height = 0;
  for (const FeatureLayer& layer : layers) {
    require(layer.maps.defined() && layer.maps.rank() == 3, "feature_figure: the maps of layer ", layer.name,
            " must be (C, H, W), got ",
            layer.maps.defined() ? join(layer.maps.shape()) : "an undefined tensor", ".");
    const int64_t rows =
        ceil_div(std::max<int64_t>(1, std::min<int64_t>(channels, layer.maps.size(0))), columns);
    heights.push_back(kLayerHeading + double(rows) * (kCell + kSpace) + kLayerSpace);
    height += heights.back();
    scales.push_back(scale_of(layer.maps.slice(0, {0, channels})));  // an unseen map must not pale the others
  }
  const double left = kMargin + kInput + 36, width = left + columns * (kCell + kSpace) + 64 + kMargin;
  const Head head(title, "", width);
  const std::vector<std::string> help = help_for(scales);
  const double beside = kLayerHeading + kInput + 12 + kHelpLine * double(help.size());
  double top = std::max(kMargin, head.height() + 8);
  Canvas canvas(int(std::ceil(width)), int(std::ceil(top + std::max(height, beside) + kMargin)));
  head.draw(canvas);
  draw_input(canvas, top, input, help);
  for (size_t i = 0; i < layers.size(); ++i) {
    draw_layer(canvas, left, top, layers[i], scales[i], std::min<int64_t>(channels, layers[i].maps.size(0)),
               columns);
    top += heights[i];
  }
  return canvas;
}

Canvas filter_figure(const Tensor& weights, const std::string& title) {
  require(weights.defined() && weights.rank() == 4, "filter_figure: weights must be (K, C, R, S), got ",
          weights.defined() ? join(weights.shape()) : "an undefined tensor", ".");
  const int64_t K = weights.size(0), C = weights.size(1);
  const int64_t filters = std::min<int64_t>(K, C == 1 ? 64 : 16),
                depth = std::min<int64_t>(C, 32);  // what fits
  // Filters of one channel in rows of eight; else a row a filter, with its channels side by side.
  const int64_t columns =
      C == 1 ? std::min<int64_t>(8, std::max<int64_t>(filters, 1)) : std::max<int64_t>(depth, 1);
  const int64_t rows =
      C == 1 ? ceil_div(std::max<int64_t>(filters, 1), columns) : std::max<int64_t>(filters, 1);
  const double cell = C == 1 ? 60 : std::clamp(720.0 / double(std::max(columns, rows)), 18.0, 44.0),
               step = cell + kSpace;
  std::string note;
  if (C > 1)
    note = join("a row a filter (", filters, " of ", K, "), a column a channel of its input (", depth, " of ",
                C, ")");
  else if (filters < K)
    note = join(filters, " of ", K, " filters");
  const double width = std::max(kMargin + double(columns) * step + 72, 360.0);
  const double left = (width - 58 - double(columns) * step) / 2;
  const Head head(title, note, width);
  const double top = std::max(kMargin, head.height() + 6);
  Canvas canvas(int(std::ceil(width)),
                int(std::ceil(top + std::max(double(rows) * step, 60.0) + kMargin - kSpace)));
  head.draw(canvas);
  const double most = std::max(scale_of(weights.slice(0, {0, filters}).slice(1, {0, depth})).high, 1e-12);
  const Scale scale{-most, most, diverging};  // also when no weight is negative
  for (int64_t k = 0; k < filters; ++k)
    for (int64_t c = 0; c < depth; ++c) {
      const int64_t row = C == 1 ? k / columns : k, column = C == 1 ? k % columns : c;
      draw_square(canvas, left + double(column) * step, top + double(row) * step, cell,
                  plane(weights, k * C + c), scale);
    }
  draw_scale(canvas, left + double(columns) * step + 6, top,
             std::clamp(double(rows) * step - kSpace, 50.0, 240.0), scale);
  return canvas;
}

}  // namespace uncial::vision
