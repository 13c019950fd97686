#include <algorithm>
#include <array>
#include <cmath>

#include "uncial/vision/canvas.h"

namespace uncial::vision {
namespace {

// Sixteenths of matplotlib's viridis; between them the straight line is off by at most 3 of 255.
constexpr std::array<uint32_t, 17> kViridis = {0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d,
                                               0x2c728e, 0x26828e, 0x21918c, 0x1fa088, 0x28ae80, 0x3fbc73,
                                               0x5ec962, 0x84d44b, 0xaddc30, 0xd8e219, 0xfde725};

constexpr Colour from_hex(uint32_t rgb) { return {uint8_t(rgb >> 16), uint8_t(rgb >> 8), uint8_t(rgb)}; }

double to_unit(double t) { return t > 0 ? std::min(t, 1.0) : 0.0; }

}  // namespace

Colour mix(Colour a, Colour b, double t) {
  t = to_unit(t);
  const auto channel = [t](uint8_t from, uint8_t to) { return uint8_t(std::lround(from + t * (to - from))); };
  return {channel(a.r, b.r), channel(a.g, b.g), channel(a.b, b.b), channel(a.a, b.a)};
}

Colour ink_on(Colour background) {
  // Relative luminance; contrast with black and white is equal at 0.179. Source: W3C, WCAG 2.1,
  // section 1.4.3.
  const auto light = [](uint8_t v) { return std::pow(v / 255.0, 2.2); };
  const double luminance =
      0.2126 * light(background.r) + 0.7152 * light(background.g) + 0.0722 * light(background.b);
  return luminance > 0.179 ? palette::black : palette::white;
}

Colour viridis(double t) {
  const double place = to_unit(t) * (kViridis.size() - 1);
  const size_t i = std::min(size_t(place), kViridis.size() - 2);
  return mix(from_hex(kViridis[i]), from_hex(kViridis[i + 1]), place - double(i));
}

Colour diverging(double t) {
  t = to_unit(t);
  return t < 0.5 ? mix(palette::blue, palette::white, 2 * t) : mix(palette::white, palette::red, 2 * t - 1);
}

}  // namespace uncial::vision
