#include "cli/digit_image.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "uncial/core/error.h"

namespace uncial::cli {
namespace {

constexpr int64_t kSide = 28, kInkSide = 20;
constexpr float kFaint = 0.15f;  // fainter than this is paper, not ink

/// A grey picture, row-major, 0 = paper, 1 = ink.
struct Grey {
  int64_t height = 0, width = 0;
  std::vector<float> values;
  float& at(int64_t y, int64_t x) { return values[size_t(y * width + x)]; }
  float at(int64_t y, int64_t x) const { return values[size_t(y * width + x)]; }
};

/// 0 = black, 1 = white.
Grey luma(const Tensor& picture) {
  Grey grey{picture.size(1), picture.size(2), {}};
  const int64_t plane = grey.height * grey.width;
  const uint8_t* p = picture.data<uint8_t>();
  for (int64_t i = 0; i < plane; ++i)
    grey.values.push_back(picture.size(0) == 1
                              ? float(p[i]) / 255
                              : (0.299f * p[i] + 0.587f * p[plane + i] + 0.114f * p[2 * plane + i]) / 255);
  return grey;
}

bool has_light_border(const Grey& grey) {
  std::vector<float> border;
  for (int64_t y = 0; y < grey.height; ++y)
    for (int64_t x = 0; x < grey.width; ++x)
      if (y == 0 || x == 0 || y == grey.height - 1 || x == grey.width - 1) border.push_back(grey.at(y, x));
  std::nth_element(border.begin(), border.begin() + std::ptrdiff_t(border.size() / 2), border.end());
  return border[border.size() / 2] > 0.5f;
}

/// The smallest box with all ink.
struct Box {
  int64_t top, left, bottom, right;  // the last two exclusive
};
Box ink_box(const Grey& grey) {
  Box box{grey.height, grey.width, 0, 0};
  for (int64_t y = 0; y < grey.height; ++y)
    for (int64_t x = 0; x < grey.width; ++x)
      if (grey.at(y, x) > kFaint)
        box = {std::min(box.top, y), std::min(box.left, x), std::max(box.bottom, y + 1),
               std::max(box.right, x + 1)};
  return box;
}

/// Mean of the source over a rectangle whose edges may cut pixels.
float area_mean(const Grey& grey, double top, double left, double bottom, double right) {
  double sum = 0;
  for (auto y = int64_t(top); y < grey.height && double(y) < bottom; ++y)
    for (auto x = int64_t(left); x < grey.width && double(x) < right; ++x) {
      const double h = std::min(bottom, double(y + 1)) - std::max(top, double(y));
      const double w = std::min(right, double(x + 1)) - std::max(left, double(x));
      sum += h * w * grey.at(y, x);
    }
  return float(sum / ((bottom - top) * (right - left)));
}

/// The box of `grey`, scaled so that its longer side has kInkSide pixels.
Grey scaled(const Grey& grey, const Box& box) {
  const double h = double(box.bottom - box.top), w = double(box.right - box.left);
  const double step = std::max(h, w) / kInkSide;
  Grey out{std::max<int64_t>(1, std::lround(h / step)), std::max<int64_t>(1, std::lround(w / step)), {}};
  const double dy = h / double(out.height), dx = w / double(out.width);
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      out.values.push_back(area_mean(grey, double(box.top) + double(y) * dy,
                                     double(box.left) + double(x) * dx, double(box.top) + double(y + 1) * dy,
                                     double(box.left) + double(x + 1) * dx));
  return out;
}

/// kSide x kSide with the centre of mass in the middle, as far as everything stays inside.
Grey centred(const Grey& ink) {
  double mass = 0, cy = 0, cx = 0;
  for (int64_t y = 0; y < ink.height; ++y)
    for (int64_t x = 0; x < ink.width; ++x) {
      mass += ink.at(y, x);
      cy += ink.at(y, x) * (double(y) + 0.5);
      cx += ink.at(y, x) * (double(x) + 0.5);
    }
  const auto place = [](double centre, int64_t extent) {
    return std::clamp<int64_t>(std::lround(kSide / 2.0 - centre), 0, kSide - extent);
  };
  const int64_t top = place(cy / mass, ink.height), left = place(cx / mass, ink.width);
  Grey out{kSide, kSide, std::vector<float>(size_t(kSide * kSide))};
  for (int64_t y = 0; y < ink.height; ++y)
    for (int64_t x = 0; x < ink.width; ++x) out.at(top + y, left + x) = ink.at(y, x);
  return out;
}

}  // namespace

DigitImage prepare_digit(const Tensor& picture, const std::string& name, const DigitOptions& options) {
  Grey grey = luma(picture);
  const std::string size = join(grey.width, "x", grey.height);
  const bool fits = grey.height == kSide && grey.width == kSide;
  if (!fits && !options.resize)
    fail(ErrorKind::data, "picture: ", name, ": got ", size,
         " pixels, expected 28x28. Pass --resize to scale it.");

  const bool light = has_light_border(grey) != options.invert;
  if (light)
    for (float& v : grey.values) v = 1 - v;
  const Box box = ink_box(grey);
  if (box.bottom <= box.top)
    fail(ErrorKind::data, "picture: ", name,
         ": got an even surface, expected a digit. Check the file, or try --invert.");

  DigitImage result{
      .image = zeros({1, 1, kSide, kSide}),
      .remarks = join(light ? "light" : "dark", " background", options.invert ? " (inverted)" : "",
                      fits ? "" : ", resized from ", fits ? "" : size)};
  const Grey final = fits ? grey : centred(scaled(grey, box));
  std::copy(final.values.begin(), final.values.end(), result.image.data<float>());
  return result;
}

}  // namespace uncial::cli
