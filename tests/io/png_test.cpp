#include "uncial/io/png.h"

#include "support/bytes.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "uncial/config.h"

using namespace uncial;
using namespace uncial::test;

namespace {

enum { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6 };

Tensor decoded(const std::string& bytes, const io::PngOptions& options = {}) {
  return io::read_png(std::as_bytes(std::span(bytes)), "test.png", options);
}

std::vector<int> values(const Tensor& image) {
  const auto bytes = image.span<uint8_t>();
  return {bytes.begin(), bytes.end()};
}

template <class... Parts>
void refused(const std::string& bytes, Parts... parts) {
  check_error(
      ErrorKind::data, [&] { decoded(bytes); }, "test.png", parts...);
}

/// A row with filter 0.
std::string row(std::initializer_list<int> bytes) {
  std::string out(1, '\0');
  for (const int b : bytes) out += char(b);
  return out;
}

const std::string kRows = row({1, 2, 3}) + row({4, 5, 6});  // 3 x 2 grey
const std::string kGood = png_file(png_header(3, 2, 8, kGrey), kRows);
/// The pieces of kGood, to be put together wrongly.
const std::string kHeader = png_header(3, 2, 8, kGrey), kPixels = png_chunk("IDAT", deflated(kRows, 15)),
                  kEnd = png_chunk("IEND", "");

}  // namespace

TEST_CASE("reading PNG without libpng says so", "[io][png]") {
  if (kPngBuild) return;
  check_error(
      ErrorKind::io, [] { decoded(""); }, "reads no PNG", "UNCIAL_PNG");
}

#define REQUIRE_PNG                                 \
  if (!kPngBuild) {                                 \
    WARN("skipped: this build reads no PNG files"); \
    return;                                         \
  }

TEST_CASE("PNG files of all kinds give their pixels", "[io][png]") {
  REQUIRE_PNG
  const Tensor grey = decoded(kGood);
  CHECK(grey.shape() == Shape{1, 2, 3});
  CHECK(values(grey) == std::vector{1, 2, 3, 4, 5, 6});

  const Tensor rgb = decoded(png_file(png_header(2, 1, 8, kRgb), row({1, 2, 3, 4, 5, 6})));
  CHECK(rgb.shape() == Shape{3, 1, 2});
  CHECK(values(rgb) == std::vector{1, 4, 2, 5, 3, 6});

  CHECK(values(decoded(png_file(png_header(5, 1, 1, kGrey), row({0b10110000})))) ==
        std::vector{255, 0, 255, 255, 0});
  CHECK(values(decoded(png_file(png_header(2, 1, 4, kGrey), row({0x0f})))) == std::vector{0, 255});
  CHECK(values(decoded(png_file(png_header(2, 1, 16, kGrey), row({0x80, 0x80, 0xff, 0xff})))) ==
        std::vector{128, 255});
  CHECK(values(decoded(png_file(png_header(2, 1, 8, kGreyAlpha), row({100, 255, 100, 0})))) ==
        std::vector{100, 255});
  CHECK(values(decoded(png_file(png_header(2, 1, 8, kGreyAlpha), row({100, 255, 100, 0})),
                       {.background = 7})) == std::vector{100, 7});
  CHECK(values(decoded(png_file(png_header(1, 1, 8, kRgba), row({0, 100, 200, 51})))) ==
        std::vector{204, 224, 244});
}

TEST_CASE("PNG palettes, colour keys and filters", "[io][png]") {
  REQUIRE_PNG
  const std::string palette = png_chunk("PLTE", std::string("\x01\x02\x03\x0a\x14\x1e", 6));
  const std::string header = png_header(2, 1, 8, kPalette);
  CHECK(values(decoded(png_file(header, row({1, 0}), palette))) == std::vector{10, 1, 20, 2, 30, 3});
  const std::string first_clear = palette + png_chunk("tRNS", std::string(1, '\0'));
  CHECK(values(decoded(png_file(header, row({1, 0}), first_clear))) ==
        std::vector{10, 255, 20, 255, 30, 255});
  CHECK(values(decoded(png_file(png_header(3, 1, 2, kPalette), row({0b01000100}), palette))) ==
        std::vector{10, 1, 10, 20, 2, 20, 30, 3, 30});
  const std::string key = png_chunk("tRNS", std::string("\0\x05", 2));
  CHECK(values(decoded(png_file(png_header(2, 1, 8, kGrey), row({5, 6}), key))) == std::vector{255, 6});
  // Sub, up, average, Paeth: each adds its prediction (PNG 1.2, section 6).
  const std::string rows = std::string("\x01\x01\x01\x01", 4) + std::string("\x02\x01\x01\x01", 4) +
                           std::string("\x03\x01\x01\x01", 4) + std::string("\x04\x01\x01\x01", 4);
  CHECK(values(decoded(png_file(png_header(3, 4, 8, kGrey), rows))) ==
        std::vector{1, 2, 3, 2, 3, 4, 2, 3, 4, 3, 4, 5});
}

TEST_CASE("interlaced PNG files give the same pixels", "[io][png]") {
  REQUIRE_PNG
  // The seven passes of Adam7: first column and row, steps (PNG 1.2, section 2.6).
  constexpr int kPasses[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                 {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  constexpr int kWidth = 9, kHeight = 7;
  std::string rows;
  for (const auto& [x0, y0, dx, dy] : kPasses)
    for (int y = y0; y < kHeight; y += dy) {
      if (x0 < kWidth) rows += '\0';
      for (int x = x0; x < kWidth; x += dx) rows += char(y * kWidth + x);
    }
  std::vector<int> expected;
  for (int i = 0; i < kWidth * kHeight; ++i) expected.push_back(i);
  CHECK(values(decoded(png_file(png_header(kWidth, kHeight, 8, kGrey, 1), rows))) == expected);
}

TEST_CASE("what is no PNG is named", "[io][png]") {
  REQUIRE_PNG
  refused("", "empty, not PNG");
  refused("\xff\xd8\xff\xe0 JFIF", "a JPEG, not PNG");
  refused("GIF89a", "a GIF, not PNG");
  refused("<!doctype html>", "HTML");
  refused(kPngSignature.substr(0, 7), "not PNG");
  refused(kPngSignature, "ends early");
  const TempFolder folder;
  check_error(
      ErrorKind::io, [&] { io::read_png(folder / "none.png"); }, "none.png");
  write_bytes(folder / "a.png", kGood);
  CHECK(values(io::read_png(folder / "a.png")) == values(decoded(kGood)));
}

TEST_CASE("PNG chunks must be whole and in order", "[io][png]") {
  REQUIRE_PNG
  refused(kPngSignature + kPixels + kEnd, "@byte 8", "IDAT", "the first chunk is not IHDR");
  refused(kPngSignature + kHeader + kHeader + kPixels + kEnd, "a second IHDR");
  refused(kPngSignature + png_chunk("IHDR", std::string(12, '\1')) + kPixels + kEnd, "IHDR",
          "length 12, expected 13");
  refused(kPngSignature + kHeader + kPixels, "ends early");
  refused(kPngSignature + kHeader + kEnd, "no IDAT");
  refused(kGood + "x", "1 bytes follow the end");
  refused(kPngSignature + kHeader + big32(1000) + kPixels.substr(4) + kEnd, "IDAT", "passes the end");
  refused(kPngSignature + kHeader + big32(0x80000000) + kPixels.substr(4) + kEnd, "IDAT", "passes the end");
  std::string bad = kGood;
  bad[kPngSignature.size() + kHeader.size() + 10] ^= 1;
  refused(bad, "IDAT", "checksum differs");
  // An ancillary chunk is not read, but its checksum is.
  CHECK_NOTHROW(decoded(png_file(kHeader, kRows, png_chunk("iCCP", "nonsense") + png_chunk("zTXt", "x"))));
  std::string text = png_chunk("tEXt", "hello");
  text.back() ^= 1;
  refused(png_file(kHeader, kRows, text), "tEXt", "checksum differs");
  refused(png_file(kHeader, kRows, png_chunk("ABCD", "critical and unknown")), "ABCD");
}

TEST_CASE("PNG extents are bounded before anything is allocated", "[io][png]") {
  REQUIRE_PNG
  const auto sized = [](uint32_t width, uint32_t height) {
    return png_file(png_header(width, height, 8, kGrey), kRows);
  };
  refused(sized(0, 2), "0 x 2");
  refused(sized(3, 0), "3 x 0");
  refused(sized(0x7fffffff, 0x7fffffff), "2147483647 x 2147483647", "at most 16777216");
  refused(sized(0x80000000, 1), "2147483648 x 1");
  refused(sized(1 << 12, (1 << 12) + 1), "at most 16777216");
  check_error(
      ErrorKind::data, [] { decoded(kGood, {.max_pixels = 5}); }, "at most 5");
  CHECK_NOTHROW(decoded(kGood, {.max_pixels = 6}));
  for (const auto& [depth, color] :
       std::vector<std::pair<int, int>>{{3, kGrey}, {4, kRgb}, {16, kPalette}, {8, 5}})
    refused(png_file(png_header(3, 2, depth, color), kRows), "IHDR");
}

TEST_CASE("PNG pixels must be exactly as many as declared", "[io][png]") {
  REQUIRE_PNG
  const std::string header = png_header(3, 2, 8, kGrey);
  refused(png_file(header, row({1, 2, 3}) + row({4, 5})), "");
  refused(png_file(header, kRows + row({7, 8, 9})), "");
  refused(png_file(header, row({1, 2, 3}) + "\x05"
                                            "456"),
          "row 1", "filter");
  std::string adler = deflated(kRows, 15);
  adler.back() = char(adler.back() ^ 1);
  refused(kPngSignature + header + png_chunk("IDAT", adler) + kEnd, "");
  refused(kPngSignature + header + png_chunk("IDAT", "") + kEnd, "");

  const std::string palette = png_chunk("PLTE", "abc");
  const std::string indexed = png_header(2, 2, 8, kPalette);
  refused(png_file(indexed, row({0, 0}) + row({0, 1}), palette), "row 1",
          "palette index 1, expected below 1");
  refused(png_file(indexed, row({0, 0}) + row({0, 0})), "");
}

TEST_CASE("damaged PNG files never do worse than an Error", "[io][png]") {
  REQUIRE_PNG
  for (size_t at = 0; at < kGood.size(); ++at) {
    std::string bytes = kGood;
    bytes[at] = char(bytes[at] ^ 0x11);
    refused(bytes);
    refused(kGood.substr(0, at));
  }
}
