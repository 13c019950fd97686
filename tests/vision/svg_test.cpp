#include <algorithm>
#include <cmath>

#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/xml.h"
#include "uncial/config.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"
#include "uncial/vision/charts.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::vision;

namespace {

std::vector<XmlElement> elements_of(const Canvas& canvas) {
  const std::string svg = canvas.svg();
  return XmlReader(svg).read();
}

/// The last thing that was drawn.
XmlElement last_of(const Canvas& canvas) { return elements_of(canvas).back(); }

/// Bytes of a data URI that holds a PNG.
std::string png_inside(const XmlElement& image) {
  const std::string kStart = "data:image/png;base64,",
                    kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string& uri = image.at("href");
  REQUIRE(uri.substr(0, kStart.size()) == kStart);
  std::string bytes;
  uint32_t word = 0;
  int bits = 0;
  for (size_t i = kStart.size(); i < uri.size() && uri[i] != '='; ++i) {
    const size_t digit = kDigits.find(uri[i]);
    REQUIRE(digit != std::string::npos);
    word = word << 6 | uint32_t(digit), bits += 6;
    if (bits >= 8) bytes += char(word >> (bits -= 8) & 255);
  }
  return bytes;
}

Tensor picture_in(const XmlElement& image) {
  const std::string png = png_inside(image);
  return io::read_png(std::as_bytes(std::span(png)), "embedded");
}

bool has_text(const std::vector<XmlElement>& all, const std::string& text) {
  return std::any_of(all.begin(), all.end(),
                     [&](const XmlElement& e) { return e.name == "text" && e.text == text; });
}

}  // namespace

TEST_CASE("SVG has the canvas's size and shapes", "[vision]") {
  Canvas canvas(70, 50);
  canvas.fill_rect(1, 2, 30, 4.5, palette::orange);
  canvas.stroke_rect(10, 10, 20, 8, palette::red, 2);
  canvas.circle(40, 20, 3.25, {1, 2, 3, 51});
  canvas.line(0, 30, 60, 30, palette::black, 3);
  const std::vector<XmlElement> all = elements_of(canvas);
  REQUIRE(all.size() == 6);
  CHECK(all[0].name == "svg");
  CHECK(all[0].at("xmlns") == "http://www.w3.org/2000/svg");
  CHECK(all[0].at("width") == "70");
  CHECK(all[0].at("height") == "50");
  CHECK(all[0].at("viewBox") == "0 0 70 50");
  CHECK(all[1].at("fill") == "#ffffff");  // the paper
  CHECK(all[1].number("width") == 70);
  CHECK(all[2].at("x") == "1");
  CHECK(all[2].at("y") == "2");
  CHECK(all[2].at("width") == "30");
  CHECK(all[2].at("height") == "4.5");
  CHECK(all[2].at("fill") == "#e69f00");
  CHECK(all[3].at("fill") == "none");  // the line is inside of the box
  CHECK(all[3].number("x") == 11);
  CHECK(all[3].number("width") == 18);
  CHECK(all[3].number("stroke-width") == 2);
  CHECK(all[4].name == "circle");
  CHECK(all[4].at("r") == "3.25");
  CHECK(all[4].at("fill") == "#010203");
  CHECK(all[4].at("fill-opacity") == "0.2");
  CHECK(all[5].at("y") == "28.5");
  CHECK(all[5].at("height") == "3");
}

TEST_CASE("SVG curves have gaps and dots, dashed lines dashes", "[vision]") {
  Canvas canvas(50, 50);
  canvas.polyline(std::vector<Point>{{1, 2}, {3, 4.1237}, {NAN, 0}, {30, 30}, {0, NAN}, {5, 6}, {7, 8}},
                  palette::blue, 2);
  XmlElement path = last_of(canvas);
  CHECK(path.at("d") == "M1 2L3 4.124M30 30h0M5 6L7 8");
  CHECK(path.at("stroke-linecap") == "round");
  canvas.dashed_line(0, 5, 40, 5, palette::blue, 1, 4);
  path = last_of(canvas);
  CHECK(path.at("d") == "M0 5L40 5");
  CHECK(path.at("stroke-dasharray") == "4");
  CHECK(path.attributes.count("stroke-linecap") == 0);
}

TEST_CASE("SVG text is text, as long as in the PNG", "[vision]") {
  Canvas canvas(200, 100);
  const TextStyle style{.size = 20, .align = Align::centre, .bold = true};
  canvas.text(100, 40, "Epoch 7 & <b>\"done\"</b>", style);
  XmlElement text = last_of(canvas);
  CHECK(text.text == "Epoch 7 & <b>\"done\"</b>");
  CHECK(text.at("text-anchor") == "middle");
  CHECK(text.at("font-weight") == "bold");
  CHECK(text.number("x") == 100);
  CHECK(text.number("y") > 44);  // the base line, below the middle of the capitals
  CHECK(text.number("y") < 50);
  CHECK(text.number("textLength") == Approx(canvas.text_width(text.text, style)).margin(0.001));
  CHECK(text.number("font-size") > 16);
  CHECK(text.number("font-size") < 20);

  canvas.text(30, 80, "upwards", {.size = 14, .degrees = 90});
  text = last_of(canvas);
  CHECK(text.at("transform").find("rotate(-90)") != std::string::npos);
  CHECK(text.attributes.count("text-anchor") == 0);
}

TEST_CASE("SVG takes any bytes as text", "[vision]") {
  const auto shown = [](std::string_view text) {
    Canvas canvas(500, 20);
    canvas.text(5, 10, text);
    return last_of(canvas).text;
  };
  CHECK(shown("\u00e9\u2212\u00d7 \u4f60") == "\u00e9\u2212\u00d7 \u4f60");
  CHECK(shown("a\xff z") == "a\ufffd z");
  CHECK(shown(std::string_view("a\0\x01\x7f z", 6)) == "a\ufffd\ufffd\ufffd z");
  CHECK(shown("a\xed\xa0\x80 z") == "a\ufffd z");  // a surrogate
  CHECK(shown("a\xef\xbf\xbf z") == "a\ufffd z");  // U+FFFF
  CHECK(shown("a\xf7\xbf\xbf\xbf z") == "a\ufffd z");
  CHECK(shown("a\xc0\xbc z") == "a< z");  // < in two bytes: decoded first, then escaped
  CHECK(shown("\xf0\x9f\x99\x82") == "\xf0\x9f\x99\x82");
}

TEST_CASE("SVG leaves out what draws nothing", "[vision]") {
  Canvas canvas(8, 8);
  canvas.fill_rect(NAN, 0, 4, 4, palette::blue);
  canvas.fill_rect(0, 0, INFINITY, NAN, palette::blue);
  canvas.fill_rect(9, 0, 4, 4, palette::blue);
  canvas.fill_rect(0, 0, -4, 4, palette::blue);
  canvas.stroke_rect(NAN, 0, 4, 4, palette::blue);
  canvas.stroke_rect(0, 0, 0, 4, palette::blue);
  canvas.line(NAN, 0, 5, 5, palette::blue);
  canvas.dashed_line(0, NAN, 5, 5, palette::blue);
  canvas.dashed_line(0, 1, INFINITY, 1, palette::blue);
  canvas.circle(-50, 4, 10, palette::blue);
  canvas.circle(4, 4, 0, palette::blue);
  canvas.text(1e30, 4, "far", {});
  canvas.text(4, 4, "", {});
  canvas.image(20, 20, 5, 5, zeros({2, 2}));
  canvas.image(NAN, 0, 5, 5, zeros({2, 2}));
  canvas.image(0, 0, 5, 5, zeros({0, 2}));
  CHECK(elements_of(canvas).size() == 2);               // the root and the paper
  canvas.fill_rect(-1e30, -5, 2e30, 7, palette::blue);  // cut to the picture
  const XmlElement rect = last_of(canvas);
  CHECK(rect.at("x") == "0");
  CHECK(rect.at("width") == "8");
  CHECK(rect.at("height") == "2");
}

TEST_CASE("SVG holds images in their own resolution", "[vision]") {
  if constexpr (!kPngBuild) return;
  Canvas canvas(100, 100);
  const Tensor grey = tensor<float>({0, 0.2f, 1, NAN, 0.6f, 0.4f}, Shape{2, 3});
  canvas.image(10, 20, 60, 40, grey);
  XmlElement image = last_of(canvas);
  CHECK(image.at("x") == "10");
  CHECK(image.at("height") == "40");
  CHECK(image.at("preserveAspectRatio") == "none");
  CHECK(elements_of(canvas)[0].at("style").find("image-rendering:pixelated") != std::string::npos);
  Tensor inside = picture_in(image);
  REQUIRE(inside.shape() == Shape{1, 2, 3});
  const std::vector<uint8_t> expected = {0, 51, 255, 0, 153, 102};
  CHECK(std::equal(expected.begin(), expected.end(), inside.data<uint8_t>()));

  canvas.heat_map(0, 0, 10, 10, tensor<float>({0, 1}, Shape{1, 2}), 0, 1);
  inside = picture_in(last_of(canvas));
  REQUIRE(inside.shape() == Shape{3, 1, 2});
  const Colour low = viridis(0), high = viridis(1);
  const std::vector<uint8_t> colours = {low.r, high.r, low.g, high.g, low.b, high.b};
  CHECK(std::equal(colours.begin(), colours.end(), inside.data<uint8_t>()));

  canvas.image(0, 0, 10, 5, rand({1, 300, 500}, 1));  // 20 x 10 device pixels cannot show more
  CHECK(picture_in(last_of(canvas)).shape() == Shape{1, 10, 20});
}

TEST_CASE("equal drawings give equal SVG, and files are written atomically", "[vision]") {
  const auto draw = [] {
    Canvas canvas(60, 40);
    canvas.text(3, 10, "0.1 + 0.2");
    canvas.image(20, 20, 10, 10, rand({1, 5, 5}, 3));
    canvas.line(0, 0, 1.0 / 3, 2.0 / 3, palette::red);
    return canvas;
  };
  CHECK(draw().svg() == draw().svg());
  const Canvas copy = draw();
  CHECK(Canvas(copy).svg() == copy.svg());
  const TempFolder folder;
  copy.save_svg(folder / "a.svg");
  CHECK(io::read_file(folder / "a.svg") == copy.svg());
  check_error(
      ErrorKind::io, [&] { copy.save_svg(folder / "missing" / "a.svg"); }, "missing");
}

TEST_CASE("every figure is well-formed SVG that needs nothing else", "[vision]") {
  const auto check_figure = [](const Canvas& canvas, const std::vector<std::string>& texts) {
    const std::vector<XmlElement> all = elements_of(canvas);
    CHECK(all[0].number("width") == canvas.width());
    CHECK(all[0].number("height") == canvas.height());
    for (const std::string& text : texts) {
      INFO("looked for: " << text);
      CHECK(has_text(all, text));
    }
    const std::vector<std::string> known = {"svg", "rect", "circle", "path", "text", "image"};
    for (const XmlElement& e : all) {
      CHECK(std::find(known.begin(), known.end(), e.name) != known.end());
      for (const auto& [key, value] : e.attributes) {  // these would reach beyond one picture of a page
        CHECK(key != "id");
        CHECK(key != "class");
        if (key == "href") CHECK(value.starts_with("data:image/png;base64,"));
      }
      if (e.name == "text") CHECK(e.number("textLength") > 0);
    }
  };
  Series series{.label = "loss <train>", .x = {1, 2, 3}, .y = {3, NAN, 1}, .dashed = true};
  check_figure(chart_figure({{.title = "Loss & more",
                              .x_label = "epoch",
                              .series = {series},
                              .marked_x = 2,
                              .mark_label = "best"}}),
               {"Loss & more", "loss <train>", "epoch", "best"});
  check_figure(confusion_figure(tensor<int64_t>({90, 10, 0, 100}, Shape{2, 2}), {"cat", "dog"}, "Confusion"),
               {"cat", "dog", "90", "10.0", "Confusion", "true class"});
  check_figure(image_grid({{.image = rand({1, 28, 28}, 1), .caption = "7 at 99 %", .bars = {0.1, 0.9}}},
                          {.title = "Grid", .note = "note", .headings = {{0, "heading"}}}),
               {"Grid", "note", "heading", "7 at 99 %", "1"});
  check_figure(feature_figure(rand({1, 28, 28}, 1), {{"conv1", randn({20, 8, 8}, 1)}}, "Features"),
               {"Features", "conv1", "16 of 20 maps, 8 \u00d7 8", "input"});
  check_figure(filter_figure(randn({4, 1, 3, 3}, 1), "Filters"), {"Filters", "0"});
  Canvas bars(400, 300);
  draw_bars(bars, 0, 0, 400, 300, {.title = "bars", .labels = {"a"}, .values = {2}, .value_texts = {"two"}});
  check_figure(bars, {"bars", "a", "two"});
}
