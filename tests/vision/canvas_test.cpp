#include "uncial/vision/canvas.h"

#include <cmath>
#include <cstring>

#include "support/errors.h"
#include "support/temp_folder.h"
#include "uncial/config.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::vision;

namespace {

Colour at(const Tensor& pixels, int64_t x, int64_t y) {
  const int64_t H = pixels.size(1), W = pixels.size(2);
  const uint8_t* p = pixels.data<uint8_t>() + y * W + x;
  return {p[0], p[H * W], p[2 * H * W]};
}

struct Ink {
  int64_t left = 1 << 20, top = 1 << 20, right = -1, bottom = -1, count = 0;
};

/// The box of everything that is not white.
Ink ink_of(const Tensor& pixels) {
  Ink ink;
  for (int64_t y = 0; y < pixels.size(1); ++y)
    for (int64_t x = 0; x < pixels.size(2); ++x) {
      if (at(pixels, x, y) == palette::white) continue;
      ink.left = std::min(ink.left, x), ink.right = std::max(ink.right, x);
      ink.top = std::min(ink.top, y), ink.bottom = std::max(ink.bottom, y);
      ++ink.count;
    }
  return ink;
}

}  // namespace

TEST_CASE("Canvas fills exactly the pixels of a rectangle", "[vision]") {
  for (int scale : {1, 2, 3}) {
    Canvas canvas(10, 8, palette::white, scale);
    canvas.fill_rect(2, 3, 4, 2, palette::blue);
    const Tensor p = canvas.pixels();
    REQUIRE(p.shape() == Shape{3, 8 * scale, 10 * scale});
    for (int64_t y = 0; y < p.size(1); ++y)
      for (int64_t x = 0; x < p.size(2); ++x) {
        const bool inside = x >= 2 * scale && x < 6 * scale && y >= 3 * scale && y < 5 * scale;
        REQUIRE(at(p, x, y) == (inside ? palette::blue : palette::white));
      }
  }
}

TEST_CASE("Canvas covers part of a pixel in part", "[vision]") {
  Canvas canvas(4, 1, palette::white, 1);
  canvas.fill_rect(0.5, 0, 1.75, 1, palette::black);
  const Tensor p = canvas.pixels();
  CHECK(at(p, 1, 0) == palette::black);
  CHECK(at(p, 3, 0) == palette::white);
  const int half = at(p, 0, 0).r, quarter = at(p, 2, 0).r;
  CHECK(half == std::lround(255 * std::pow(0.5, 1 / 1.4)));  // half of the light
  CHECK(quarter > half);
  CHECK(quarter < 255);
}

TEST_CASE("Canvas mixes a translucent colour", "[vision]") {
  Canvas canvas(1, 1, palette::black, 1);
  canvas.fill_rect(0, 0, 1, 1, {255, 0, 0, 128});
  const Colour c = at(canvas.pixels(), 0, 0);
  CHECK(c.r == std::lround(255 * std::pow(128 / 255.0, 1 / 1.4)));
  CHECK(c.g == 0);
}

TEST_CASE("Canvas draws lines and outlines", "[vision]") {
  Canvas canvas(20, 20, palette::white, 2);
  canvas.line(2, 5, 12, 5, palette::black);  // thickness 1: two device pixels about y = 10
  Ink ink = ink_of(canvas.pixels());
  CHECK(ink.left == 4);
  CHECK(ink.right == 23);
  CHECK(ink.top == 9);
  CHECK(ink.bottom == 10);
  CHECK(ink.count == 40);

  Canvas framed(10, 10, palette::white, 1);
  framed.stroke_rect(2, 3, 5, 4, palette::red);
  CHECK(ink_of(framed.pixels()).count == 2 * 5 + 2 * 2);
  CHECK(at(framed.pixels(), 2, 3) == palette::red);
  CHECK(at(framed.pixels(), 6, 6) == palette::red);
  CHECK(at(framed.pixels(), 3, 4) == palette::white);

  Canvas slanted(20, 20, palette::white, 1);
  slanted.line(2, 2, 17, 17, palette::black, 3);
  const Tensor p = slanted.pixels();
  for (int i = 3; i < 17; ++i) CHECK(at(p, i, i) == palette::black);
  CHECK(at(p, 3, 12) == palette::white);

  Canvas dashes(20, 1, palette::white, 1);
  dashes.dashed_line(0, 0.5, 20, 0.5, palette::black, 1, 4);
  for (int x = 0; x < 20; ++x)
    CHECK(at(dashes.pixels(), x, 0) == (x / 4 % 2 == 0 ? palette::black : palette::white));
}

TEST_CASE("Canvas draws discs and curves with gaps", "[vision]") {
  Canvas canvas(21, 21, palette::white, 1);
  canvas.circle(10.5, 10.5, 6, palette::green);
  const Tensor p = canvas.pixels();
  double area = 0;
  for (int64_t y = 0; y < 21; ++y)
    for (int64_t x = 0; x < 21; ++x) area += 1 - at(p, x, y).r / 255.0;
  CHECK(area == Approx(std::acos(-1.0) * 36).epsilon(0.05));

  Canvas curve(20, 10, palette::white, 1);
  const std::vector<Point> points = {{1, 5}, {6, 5}, {NAN, 5}, {13, 5}, {18, 5}};
  curve.polyline(points, palette::black, 2);
  CHECK(at(curve.pixels(), 4, 5) == palette::black);
  CHECK(at(curve.pixels(), 9, 5) == palette::white);
  CHECK(at(curve.pixels(), 15, 5) == palette::black);
}

TEST_CASE("Canvas clips whatever lies outside, and NaN draws nothing", "[vision]") {
  Canvas canvas(8, 8, palette::white, 2);
  canvas.fill_rect(-1e9, -5, 1e9 + 2, 7, palette::blue);
  CHECK(ink_of(canvas.pixels()).count == 4 * 4);
  Canvas empty_one(8, 8);
  empty_one.fill_rect(NAN, 0, 4, 4, palette::blue);
  empty_one.fill_rect(0, 0, INFINITY, NAN, palette::blue);
  empty_one.fill_rect(0, 0, -4, 4, palette::blue);
  empty_one.line(NAN, 0, 5, 5, palette::blue);
  empty_one.line(100, 100, 200, 300, palette::blue, 4);
  empty_one.circle(-50, 4, 10, palette::blue);
  empty_one.circle(4, NAN, 10, palette::blue);
  empty_one.text(1e30, 4, "far", {});
  empty_one.text(NAN, 4, "nowhere", {});
  empty_one.text(-500, 4, "left", {});
  empty_one.text(4, 4, "", {});
  empty_one.image(20, 20, 5, 5, zeros({2, 2}));
  CHECK(ink_of(empty_one.pixels()).count == 0);
  CHECK_NOTHROW(empty_one.line(-1e6, -1e6, 1e6, 1e6, palette::blue, 1));
}

TEST_CASE("Canvas text has its ink where it was asked for", "[vision]") {
  const TextStyle style{.size = 20};
  Canvas canvas(200, 60, palette::white, 2);
  const double width = canvas.text_width("Hxg 42", style);
  CHECK(width > 40);
  CHECK(width < 110);
  canvas.text(20, 30, "Hxg 42", style);
  Ink ink = ink_of(canvas.pixels());
  CHECK(ink.count > 200);
  CHECK(ink.left >= 40);
  CHECK(ink.left <= 46);
  CHECK(ink.right <= (20 + width) * 2);
  CHECK(ink.right >= (20 + width) * 2 - 6);

  Canvas capitals(100, 60, palette::white, 2);  // no descender: the middle of the ink is y
  capitals.text(50, 30, "HEH", {.size = 20, .align = Align::centre});
  ink = ink_of(capitals.pixels());
  CHECK(std::abs((ink.top + ink.bottom + 1) / 2.0 - 60) <= 1);
  CHECK(std::abs((ink.left + ink.right + 1) / 2.0 - 100) <= 2);

  Canvas right(100, 60, palette::white, 2);
  right.text(90, 30, "H", {.size = 20, .align = Align::right});
  CHECK(ink_of(right.pixels()).right < 180);
  CHECK(ink_of(right.pixels()).right > 170);

  Canvas bold(100, 60, palette::white, 2), regular(100, 60, palette::white, 2);
  bold.text(10, 30, "mass", {.bold = true});
  regular.text(10, 30, "mass", {});
  CHECK(ink_of(bold.pixels()).count > ink_of(regular.pixels()).count);
}

TEST_CASE("Canvas text turned by 90 degrees runs from bottom to top", "[vision]") {
  Canvas upright(120, 120, palette::white, 1), turned(120, 120, palette::white, 1);
  upright.text(60, 60, "Lj", {.size = 40, .align = Align::centre});
  turned.text(60, 60, "Lj", {.size = 40, .align = Align::centre, .degrees = 90});
  const Tensor p = upright.pixels(), q = turned.pixels();
  int64_t different = 0;
  for (int64_t y = 0; y < 120; ++y)
    for (int64_t x = 0; x < 120; ++x) different += std::abs(at(p, x, y).r - at(q, y, 119 - x).r) > 100;
  CHECK(ink_of(p).count > 100);
  CHECK(different <= 6);  // whole-pixel placement may differ along the text
  check_error(
      ErrorKind::usage, [&] { turned.text(0, 0, "x", {.degrees = 45}); }, "0 or 90, got 45");
}

TEST_CASE("Canvas text takes UTF-8, and broken UTF-8", "[vision]") {
  const Canvas canvas(10, 10);
  const auto width = [&](std::string_view text) { return canvas.text_width(text); };
  CHECK(width("\u00e9") == Approx(width("e")).epsilon(0.02));  // one character, not two
  CHECK(width("\u2212\u00d7\u00b1\u00b0") > 20);
  CHECK(width("\xff") == Approx(width("\ufffd")));
  CHECK(width("\xe2\x82") > 0);
  Canvas drawn(100, 20);
  CHECK_NOTHROW(drawn.text(5, 10, std::string_view("a\0\xf0\x9f\x98\x80\xc0z", 8), {}));
}

TEST_CASE("Canvas shows images in blocks, NaN as 0, inverted on request", "[vision]") {
  const Tensor x = tensor<float>({0, 1, NAN, 0.5f}, Shape{2, 2});
  Canvas canvas(6, 6, palette::red, 1);
  canvas.image(1, 1, 4, 4, x);
  Tensor p = canvas.pixels();
  CHECK(at(p, 0, 0) == palette::red);
  CHECK(at(p, 1, 1) == palette::black);
  CHECK(at(p, 2, 2) == palette::black);
  CHECK(at(p, 3, 1) == palette::white);
  CHECK(at(p, 1, 3) == palette::black);
  CHECK(at(p, 4, 4) == Colour{128, 128, 128});
  CHECK(at(p, 5, 5) == palette::red);
  canvas.image(1, 1, 4, 4, x, 0, 1, true);
  CHECK(at(canvas.pixels(), 1, 1) == palette::white);
  CHECK(at(canvas.pixels(), 1, 3) == palette::white);
  canvas.image(0, 0, 6, 6, tensor<float>({1, 0, 0.2f}, Shape{3, 1, 1}));
  CHECK(at(canvas.pixels(), 3, 3) == Colour{255, 0, 51});
  canvas.image(0, 0, 6, 6, full({1, 1, 1}, 128, DType::uint8), 0, 255);
  CHECK(at(canvas.pixels(), 3, 3) == Colour{128, 128, 128});
  canvas.heat_map(0, 0, 6, 6, tensor<float>({-1, 1}, Shape{1, 2}), -1, 1);
  CHECK(at(canvas.pixels(), 0, 0) == viridis(0));
  CHECK(at(canvas.pixels(), 5, 0) == viridis(1));
  check_error(
      ErrorKind::usage,
      [&] {
        canvas.image(0, 0, 1, 1, zeros({2, 4, 4}));
      },
      "(3, H, W)", "(2, 4, 4)");
  check_error(
      ErrorKind::usage,
      [&] {
        canvas.heat_map(0, 0, 1, 1, zeros({3, 4, 4}), 0, 1);
      },
      "(1, H, W)");
  check_error(
      ErrorKind::usage,
      [&] {
        canvas.image(0, 0, 1, 1, zeros({4, 4}), 1, 1);
      },
      "low < high");
}

TEST_CASE("colour maps", "[vision]") {
  CHECK(viridis(0) == Colour{0x44, 0x01, 0x54});
  CHECK(viridis(1) == Colour{0xfd, 0xe7, 0x25});
  CHECK(viridis(-3) == viridis(0));
  CHECK(viridis(7) == viridis(1));
  CHECK(viridis(NAN) == viridis(0));
  const auto luminance = [](Colour c) { return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b; };
  for (int i = 0; i < 64; ++i) CHECK(luminance(viridis((i + 1) / 64.0)) > luminance(viridis(i / 64.0)));
  CHECK(diverging(0.5) == palette::white);
  CHECK(diverging(0) == palette::blue);
  CHECK(ink_on(palette::white) == palette::black);
  CHECK(ink_on(palette::blue) == palette::white);
  CHECK(mix(palette::black, palette::white, 0.2) == Colour{51, 51, 51});
}

TEST_CASE("Canvas writes PNG files", "[vision]") {
  Canvas canvas(7, 5, palette::white, 2);
  canvas.fill_rect(1, 1, 3, 2, palette::orange);
  canvas.circle(5, 3, 1.5, palette::blue);
  const std::string png = canvas.png();
  REQUIRE(png.size() > 33);
  CHECK(png.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  CHECK(png.substr(12, 4) == "IHDR");
  CHECK(png.substr(16, 8) == std::string("\0\0\0\x0e\0\0\0\x0a", 8));  // 14 x 10
  CHECK(png.substr(24, 2) == "\x08\x02");                              // 8 bits, RGB
  const TempFolder folder;
  canvas.save_png(folder.path() / "a.png");
  CHECK(io::read_file(folder.path() / "a.png") == png);
  if constexpr (kPngBuild) {
    const Tensor back = io::read_png(folder.path() / "a.png"), drawn = canvas.pixels();
    REQUIRE(back.shape() == drawn.shape());
    CHECK(std::memcmp(back.data<uint8_t>(), drawn.data<uint8_t>(), size_t(drawn.size())) == 0);
  }
  check_error(
      ErrorKind::io, [&] { canvas.save_png(folder.path() / "missing" / "a.png"); }, "missing");
}

TEST_CASE("Canvas checks its size", "[vision]") {
  check_error(
      ErrorKind::usage, [] { Canvas(0, 10); }, "got 0 x 10");
  check_error(
      ErrorKind::usage, [] { Canvas(10, 1 << 20); }, "Canvas: sides");
  check_error(
      ErrorKind::usage, [] { Canvas(10, 10, palette::white, 0); }, "scale must be in [1, 8], got 0");
}
