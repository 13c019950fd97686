// Canvas: images and heat maps.
#include <algorithm>
#include <cmath>

#include "uncial/vision/canvas.h"
#include "vision/png_write.h"
#include "vision/svg.h"

namespace uncial::vision {
namespace {

/// A (H, W) or (C, H, W) tensor as contiguous floats in [0, 1], with NaN as the place of 0.
struct UnitPlanes {
  Tensor values;
  const float* data;
  int64_t C, H, W;
  double low, high;

  UnitPlanes(std::string_view what, const Tensor& x, bool colour, double low, double high)
      : low(low), high(high) {
    require(
        x.defined() && (x.rank() == 2 || (x.rank() == 3 && (x.size(0) == 1 || (colour && x.size(0) == 3)))),
        what, ": needs (H, W)", colour ? ", (1, H, W) or (3, H, W)" : " or (1, H, W)", ", got ",
        x.defined() ? join(x.shape()) : "an undefined tensor", ".");
    require(low < high, what, ": needs low < high, got ", low, " and ", high, ".");
    values = x.detach().to(Device::cpu()).to(DType::float32).contiguous();
    data = values.data<float>();
    C = x.rank() == 3 ? x.size(0) : 1, H = x.size(-2), W = x.size(-1);
  }
  double at(int64_t c, int64_t row, int64_t column) const {
    const double v = data[(std::min(c, C - 1) * H + row) * W + column];
    return std::clamp(((std::isnan(v) ? 0 : v) - low) / (high - low), 0.0, 1.0);
  }
};

/// Which of `count` elements lies at `offset` of `extent`.
int64_t element_at(double offset, double extent, int64_t count) {
  return std::clamp<int64_t>(int64_t(offset * double(count) / extent), 0, count - 1);
}

/// In as few channels as tell the colours.
std::string png_of(const std::vector<Colour>& colours, int64_t columns) {
  const auto all = [&](auto is) { return std::all_of(colours.begin(), colours.end(), is); };
  const bool opaque = all([](Colour c) { return c.a == 255; }),
             grey = opaque && all([](Colour c) { return c.r == c.g && c.g == c.b; });
  const int channels = grey ? 1 : opaque ? 3 : 4;
  std::vector<uint8_t> bytes;
  bytes.reserve(colours.size() * size_t(channels));
  for (const Colour c : colours) {
    const uint8_t rgba[] = {c.r, c.g, c.b, c.a};
    bytes.insert(bytes.end(), rgba, rgba + channels);
  }
  return write_png(int(columns), int(colours.size() / size_t(columns)), channels, bytes.data());
}

}  // namespace

void Canvas::draw_blocks(double x, double y, double w, double h, int64_t rows, int64_t columns,
                         const std::function<Colour(int64_t row, int64_t column)>& colour) {
  const double left = std::round(x * scale_), right = std::round((x + w) * scale_);
  const double top = std::round(y * scale_), bottom = std::round((y + h) * scale_);
  const bool visible = left < right && top < bottom && left < device_width() && right > 0 &&
                       top < device_height() && bottom > 0;  // not when one is NaN
  if (!visible || rows == 0 || columns == 0) return;
  // Never more blocks than pixels to show them.
  const int64_t H = int64_t(std::min(double(rows), bottom - top)),
                W = int64_t(std::min(double(columns), right - left));
  std::vector<Colour> blocks;
  blocks.reserve(size_t(H * W));
  for (int64_t i = 0; i < H; ++i)
    for (int64_t j = 0; j < W; ++j)
      blocks.push_back(colour(element_at(double(i) + 0.5, double(H), rows),
                              element_at(double(j) + 0.5, double(W), columns)));

  const auto edge = [](double v, int limit) { return int(std::clamp(v, 0.0, double(limit))); };
  for (int j = edge(top, device_height()); j < edge(bottom, device_height()); ++j)
    for (int i = edge(left, device_width()); i < edge(right, device_width()); ++i)
      blend(i, j,
            blocks[size_t(element_at(j + 0.5 - top, bottom - top, H) * W +
                          element_at(i + 0.5 - left, right - left, W))],
            1);
  elements_ += svg::image(left / scale_, top / scale_, (right - left) / scale_, (bottom - top) / scale_,
                          png_of(blocks, W));
}

void Canvas::image(double x, double y, double w, double h, const Tensor& pixels, double low, double high,
                   bool inverted) {
  const UnitPlanes planes("Canvas::image", pixels, true, low, high);
  draw_blocks(x, y, w, h, planes.H, planes.W, [&](int64_t row, int64_t column) {
    const auto level = [&](int64_t c) {
      const double t = planes.at(c, row, column);
      return uint8_t(std::lround(255 * (inverted ? 1 - t : t)));
    };
    return Colour{level(0), level(1), level(2)};
  });
}

void Canvas::heat_map(double x, double y, double w, double h, const Tensor& values, double low, double high,
                      ColourMap map) {
  const UnitPlanes planes("Canvas::heat_map", values, false, low, high);
  draw_blocks(x, y, w, h, planes.H, planes.W,
              [&](int64_t row, int64_t column) { return map(planes.at(0, row, column)); });
}

}  // namespace uncial::vision
