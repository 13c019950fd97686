#include "uncial/data/image_folder.h"

#include "support/bytes.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "uncial/config.h"
#include "uncial/core/log.h"

using namespace uncial;
using namespace uncial::test;

namespace {

std::string grey(std::string_view pixels) {
  return png_file(png_header(uint32_t(pixels.size()), 1, 8, 0), std::string(1, '\0') + std::string(pixels));
}

}  // namespace

TEST_CASE("an image folder is a data set", "[data][png]") {
  if (!kPngBuild) return;
  const TempFolder folder;
  for (const char* name : {"dog", "Cat", ".hidden"}) std::filesystem::create_directory(folder / name);
  write_bytes(folder / "dog/b.png", grey("\x01\x02"));
  write_bytes(folder / "dog/a.PNG", grey("\x03\x04"));
  write_bytes(folder / "dog/notes.txt", "x");
  write_bytes(folder / "dog/.thumb.png", "x");
  write_bytes(folder / "Cat/1.png",
              png_file(png_header(2, 1, 8, 2), std::string("\0\xff\xff\xff\xff\0\0", 7)));
  write_bytes(folder / "README", "x");

  std::string warning;
  set_log_sink([&](LogLevel, std::string_view text) { warning += text; });
  const data::Dataset set = data::image_folder(folder.path());
  set_log_sink({});
  CHECK(warning.find("passed over 2 files") != std::string::npos);
  CHECK(set.classes() == std::vector<std::string>{"Cat", "dog"});
  REQUIRE(set.size() == 3);
  CHECK(set.sample_shape() == Shape{1, 1, 2});
  CHECK(set.class_counts() == std::vector<int64_t>{1, 2});
  CHECK((set.pixels(0)[0] == 255 && set.pixels(0)[1] == 76));  // 0.299 * 255
  CHECK((set.pixels(1)[0] == 3 && set.pixels(2)[0] == 1));     // a.PNG before b.png

  const data::Dataset color = data::image_folder(folder.path(), {.channels = 3, .invert = true});
  CHECK(color.sample_shape() == Shape{3, 1, 2});
  CHECK((color.pixels(0)[1] == 0 && color.pixels(0)[3] == 255 && color.pixels(1)[5] == 251));
}

TEST_CASE("image folders that make no data set are refused", "[data][png]") {
  if (!kPngBuild) return;
  const TempFolder folder;
  const auto load = [&] { data::image_folder(folder.path()); };
  check_error(
      ErrorKind::io, [&] { data::image_folder(folder / "none"); }, "none");
  check_error(
      ErrorKind::usage, [&] { data::image_folder(folder.path(), {.channels = 2}); }, "1 or 3, got 2");
  check_error(ErrorKind::data, load, "data set is empty");
  std::filesystem::create_directory(folder / "a");
  check_error(ErrorKind::data, load, "/a", "no PNG file");
  write_bytes(folder / "a/1.png", grey("\x01\x02"));
  write_bytes(folder / "a/2.png", grey("\x01\x02\x03"));
  check_error(ErrorKind::data, load, "2.png", "1 x 3", "1.png", "1 x 2");
  write_bytes(folder / "a/2.png", "\xff\xd8\xff\xe0");
  check_error(ErrorKind::data, load, "2.png", "JPEG, not PNG");
}
