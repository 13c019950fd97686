#include <algorithm>
#include <cmath>

#include "uncial/vision/charts.h"
#include "vision/axis.h"
#include "vision/layout.h"

namespace uncial::vision {
namespace {

constexpr double kMargin = 20, kSpace = 5;

struct Range {
  double low = INFINITY, high = -INFINITY;
};

/// Range of the finite values, opened a little when there is only one; [0, 1] when there is none.
Range range_of(const Tensor& x) {
  const Tensor values = x.detach().to(Device::cpu()).to(DType::float32).contiguous();
  Range r;
  for (float v : values.span<float>())
    if (std::isfinite(v)) r.low = std::min(r.low, double(v)), r.high = std::max(r.high, double(v));
  if (r.low > r.high) return {0, 1};
  if (r.low == r.high) return {r.low - 0.5, r.high + 0.5};
  return r;
}

/// Plane `index` of a (C, H, W) or (K, C, R, S) tensor, counting through all leading axes.
Tensor plane(const Tensor& x, int64_t index) {
  const Tensor values = x.detach().to(Device::cpu()).to(DType::float32).contiguous();
  const int64_t H = values.size(-2), W = values.size(-1);
  return from_values(std::span<const float>(values.data<float>() + index * H * W, size_t(H * W)), {H, W});
}

/// A scale from `low` to `high` with the two values beside its ends.
void draw_scale(Canvas& canvas, double x, double y, double h, Range range, ColourMap map) {
  for (double i = 0; i < h; i += 0.5) canvas.fill_rect(x, y + i, 10, 0.5, map(1 - (i + 0.25) / h));
  canvas.stroke_rect(x - 0.5, y - 0.5, 11, h + 1, kFrame);
  const TextStyle style{.size = kSmallSize, .colour = kText};
  canvas.text(x + 15, y + 5, format_fixed(range.high, 2), style);
  canvas.text(x + 15, y + h - 5, format_fixed(range.low, 2), style);
}

}  // namespace

Canvas feature_figure(const Tensor& input, const std::vector<FeatureLayer>& layers, const std::string& title,
                      int channels) {
  require(channels >= 1 && channels <= 128, "feature_figure: channels must be in [1, 128], got ", channels,
          ".");
  constexpr double kInput = 168, kCell = 56, kHeading = 26;
  const int columns = std::min(channels, 16);
  double height = 0;
  for (const FeatureLayer& layer : layers) {
    require(layer.maps.defined() && layer.maps.rank() == 3, "feature_figure: the maps of layer ", layer.name,
            " must be (C, H, W), got ",
            layer.maps.defined() ? join(layer.maps.shape()) : "an undefined tensor", ".");
    const int64_t rows =
        ceil_div(std::max<int64_t>(1, std::min<int64_t>(channels, layer.maps.size(0))), columns);
    height += kHeading + double(rows) * (kCell + kSpace) + 12;
  }
  const double top = std::max(kMargin, title_height(title) + 8), left = kMargin + kInput + 36;
  Canvas canvas(int(std::ceil(left + columns * (kCell + kSpace) + 64 + kMargin)),
                int(std::ceil(top + std::max(height, kHeading + kInput) + kMargin)));
  draw_title(canvas, title);
  const TextStyle heading{.size = kLabelSize, .bold = true};
  canvas.text(kMargin, top + 10, "input", heading);
  canvas.image(kMargin, top + kHeading, kInput, kInput, input, range_of(input).low, range_of(input).high,
               true);
  canvas.stroke_rect(kMargin - 1, top + kHeading - 1, kInput + 2, kInput + 2, palette::light);
  double y = top;
  for (const FeatureLayer& layer : layers) {
    const int64_t C = layer.maps.size(0), shown = std::min<int64_t>(channels, C);
    const std::string size = join(layer.maps.size(1), " × ", layer.maps.size(2));
    canvas.text(left, y + 10, layer.name, heading);
    canvas.text(
        left + canvas.text_width(layer.name, heading) + 12, y + 10,
        shown < C ? join(shown, " of ", C, " maps, ", size) : join(C, C == 1 ? " map, " : " maps, ", size),
        {.size = kTickSize, .colour = kText});
    y += kHeading;
    const Range range = range_of(layer.maps);
    if (shown > 0)
      draw_scale(canvas, left + double(std::min<int64_t>(shown, columns)) * (kCell + kSpace) + 5, y, kCell,
                 range, viridis);
    for (int64_t c = 0; c < shown; ++c)
      canvas.heat_map(left + double(c % columns) * (kCell + kSpace),
                      y + double(c / columns) * (kCell + kSpace), kCell, kCell, plane(layer.maps, c),
                      range.low, range.high);
    y += double(ceil_div(std::max<int64_t>(shown, 1), columns)) * (kCell + kSpace) + 12;
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
  const std::string note = filters * depth < K * C
                               ? join(filters, " of ", K, " filters, ", depth, " of ", C, " channels each")
                               : "";
  const double top = std::max(kMargin, title_height(title) + 6) + (note.empty() ? 0 : 24);
  const double width = std::max(kMargin + double(columns) * step + 72, 360.0);
  const double left = (width - 58 - double(columns) * step) / 2;
  Canvas canvas(int(std::ceil(width)),
                int(std::ceil(top + std::max(double(rows) * step, 60.0) + kMargin - kSpace)));
  draw_title(canvas, title);
  canvas.text(canvas.width() / 2.0, top - 18, note,
              {.size = kTickSize, .colour = kText, .align = Align::centre});
  const Range range = range_of(weights);
  const double most = std::max({std::abs(range.low), std::abs(range.high), 1e-12});
  for (int64_t k = 0; k < filters; ++k)
    for (int64_t c = 0; c < depth; ++c) {
      const int64_t row = C == 1 ? k / columns : k, column = C == 1 ? k % columns : c;
      const double x = left + double(column) * step, y = top + double(row) * step;
      canvas.heat_map(x, y, cell, cell, plane(weights, k * C + c), -most, most, diverging);
      canvas.stroke_rect(x - 0.5, y - 0.5, cell + 1, cell + 1, palette::light);
    }
  draw_scale(canvas, left + double(columns) * step + 6, top,
             std::clamp(double(rows) * step - kSpace, 50.0, 240.0), {-most, most}, diverging);
  return canvas;
}

}  // namespace uncial::vision
