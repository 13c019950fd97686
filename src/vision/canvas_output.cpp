// Canvas: pictures in, PNG out.
#include <algorithm>
#include <cmath>

#include "uncial/io/atomic_file.h"
#include "uncial/vision/canvas.h"

// Static, so that a program may hold a stb_image_write of its own. It comes as a system header, hence no
// warnings.
#define STBIW_ASSERT(condition) ((void)(condition))  // a library must not abort its host
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>

namespace uncial::vision {
namespace {

/// Calls paint(x, y, row, column) for every device pixel of the box and the element shown there.
template <class Paint>
void for_blocks(double x0, double y0, double x1, double y1, int width, int height, int64_t H, int64_t W,
                Paint paint) {
  if (!(x0 < x1 && y0 < y1) || H == 0 || W == 0) return;
  const auto edge = [](double v, int limit) { return int(std::clamp(std::round(v), 0.0, double(limit))); };
  const auto element = [](double offset, double extent, int64_t count) {
    return std::clamp<int64_t>(int64_t(offset * double(count) / extent), 0, count - 1);
  };
  const double left = std::round(x0), top = std::round(y0), w = std::round(x1) - left,
               h = std::round(y1) - top;
  for (int y = edge(y0, height); y < edge(y1, height); ++y)
    for (int x = edge(x0, width); x < edge(x1, width); ++x)
      paint(x, y, element(y + 0.5 - top, h, H), element(x + 0.5 - left, w, W));
}

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

}  // namespace

void Canvas::image(double x, double y, double w, double h, const Tensor& pixels, double low, double high,
                   bool inverted) {
  const UnitPlanes planes("Canvas::image", pixels, true, low, high);
  const auto level = [&](int64_t c, int64_t row, int64_t column) {
    const double t = planes.at(c, row, column);
    return uint8_t(std::lround(255 * (inverted ? 1 - t : t)));
  };
  for_blocks(x * scale_, y * scale_, (x + w) * scale_, (y + h) * scale_, device_width(), device_height(),
             planes.H, planes.W, [&](int i, int j, int64_t row, int64_t column) {
               blend(i, j, {level(0, row, column), level(1, row, column), level(2, row, column)}, 1);
             });
}

void Canvas::heat_map(double x, double y, double w, double h, const Tensor& values, double low, double high,
                      ColourMap map) {
  const UnitPlanes planes("Canvas::heat_map", values, false, low, high);
  for_blocks(x * scale_, y * scale_, (x + w) * scale_, (y + h) * scale_, device_width(), device_height(),
             planes.H, planes.W, [&](int i, int j, int64_t row, int64_t column) {
               blend(i, j, map(planes.at(0, row, column)), 1);
             });
}

Tensor Canvas::pixels() const {
  const int64_t H = device_height(), W = device_width();
  Tensor planes = empty({3, H, W}, DType::uint8);
  uint8_t* out = planes.data<uint8_t>();
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < H * W; ++i) *out++ = rgb_[size_t(3 * i + c)];
  return planes;
}

std::string Canvas::png() const {
  std::string bytes;
  const auto append = [](void* context, void* data, int size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size_t(size));
  };
  const int ok = stbi_write_png_to_func(append, &bytes, device_width(), device_height(), 3, rgb_.data(),
                                        3 * device_width());
  if (!ok)
    fail(ErrorKind::io, "Canvas::png: out of memory for ", device_width(), " x ", device_height(),
         " pixels.");
  return bytes;
}

void Canvas::save_png(const std::filesystem::path& path) const {
  io::write_atomically(path, std::string_view(png()));
}

}  // namespace uncial::vision
