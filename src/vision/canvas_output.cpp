// Canvas: what was drawn, as pixels and as files.
#include "uncial/io/atomic_file.h"
#include "uncial/vision/canvas.h"
#include "vision/png_write.h"
#include "vision/svg.h"

namespace uncial::vision {

Tensor Canvas::pixels() const {
  const int64_t H = device_height(), W = device_width();
  Tensor planes = empty({3, H, W}, DType::uint8);
  uint8_t* out = planes.data<uint8_t>();
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < H * W; ++i) *out++ = rgb_[size_t(3 * i + c)];
  return planes;
}

std::string Canvas::png() const { return write_png(device_width(), device_height(), 3, rgb_.data()); }

void Canvas::save_png(const std::filesystem::path& path) const {
  io::write_atomically(path, std::string_view(png()));
}

std::string Canvas::svg() const { return svg::document(width_, height_, elements_); }

void Canvas::save_svg(const std::filesystem::path& path) const {
  io::write_atomically(path, std::string_view(svg()));
}

}  // namespace uncial::vision
