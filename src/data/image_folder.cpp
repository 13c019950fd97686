#include "uncial/data/image_folder.h"

#include <algorithm>
#include <cstring>

#include "uncial/core/log.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"

namespace uncial::data {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kWhat = "image_folder";

/// Paths in `folder` but for hidden ones, by name.
std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().native().starts_with('.')) paths.push_back(it->path());
  if (error) fail(ErrorKind::io, kWhat, ": ", io::printable(folder.native()), ": ", error.message(), ".");
  std::sort(paths.begin(), paths.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return paths;
}

bool has_png_suffix(const fs::path& path) {
  std::string suffix = path.extension().native();
  for (char& c : suffix)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  return suffix == ".png";
}

/// (C, H, W) of 1 or 3 channels as one of `channels`.
Tensor with_channels(const Tensor& image, int channels) {
  if (image.size(0) == channels) return image;
  Tensor out = empty({channels, image.size(1), image.size(2)}, DType::uint8);
  const int64_t plane = image.size(1) * image.size(2);
  const uint8_t* in = image.data<uint8_t>();
  uint8_t* to = out.data<uint8_t>();
  if (channels == 3) {
    for (int c = 0; c < 3; ++c) std::memcpy(to + c * plane, in, size_t(plane));
  } else {
    // 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point; the weights add up to 65536, so white stays 255.
    for (int64_t i = 0; i < plane; ++i)
      to[i] = uint8_t((19595 * in[i] + 38470 * in[plane + i] + 7471 * in[2 * plane + i] + 32768) >> 16);
  }
  return out;
}

struct Pictures {
  std::vector<uint8_t> pixels, labels;
  Shape shape;  // of one: (C, H, W)
  fs::path first;
  int64_t passed_over = 0;
};

void add(Pictures& all, const fs::path& path, size_t label, const ImageFolderOptions& options) {
  const Tensor image =
      with_channels(io::read_png(path, {.max_pixels = options.max_pixels}), options.channels);
  if (all.labels.empty()) {
    all.shape = image.shape();
    all.first = path;
  } else if (!(image.shape() == all.shape)) {
    fail(ErrorKind::data, kWhat, ": ", io::printable(path.native()), ": is ", image.size(1), " x ",
         image.size(2), ", but ", io::printable(all.first.native()), " is ", all.shape[1], " x ",
         all.shape[2], " (height x width). Bring all pictures to one size.");
  }
  const auto bytes = image.span<uint8_t>();
  if (options.invert)
    for (uint8_t& value : bytes) value = uint8_t(255 - value);
  all.pixels.insert(all.pixels.end(), bytes.begin(), bytes.end());
  all.labels.push_back(uint8_t(label));
}

}  // namespace

Dataset image_folder(const fs::path& path, const ImageFolderOptions& options) {
  require(options.channels == 1 || options.channels == 3, kWhat, ": channels must be 1 or 3, got ",
          options.channels, ".");
  Pictures all;
  std::vector<std::string> classes;
  for (const fs::path& folder : sorted_entries(path)) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
      ++all.passed_over;
      continue;
    }
    if (classes.size() == 256)
      fail(ErrorKind::data, kWhat, ": ", io::printable(path.native()), ": more than 256 classes.");
    classes.push_back(folder.filename());
    const size_t before = all.labels.size();
    for (const fs::path& file : sorted_entries(folder)) {
      if (has_png_suffix(file))
        add(all, file, classes.size() - 1, options);
      else
        ++all.passed_over;
    }
    if (all.labels.size() == before)
      fail(ErrorKind::data, kWhat, ": ", io::printable(folder.native()),
           ": no PNG file for this class. Add some, or remove the folder.");
  }
  if (all.labels.empty())
    fail(ErrorKind::data, kWhat, ": ", io::printable(path.native()),
         ": data set is empty: expected a subfolder with PNG files for each class.");
  if (all.passed_over > 0)
    log(LogLevel::warning, join(kWhat, ": ", io::printable(path.native()), ": passed over ", all.passed_over,
                                " files that are no PNG in a class's folder"));
  const auto n = int64_t(all.labels.size());
  return Dataset(path.filename(),
                 from_values<uint8_t>(all.pixels, {n, all.shape[0], all.shape[1], all.shape[2]}),
                 from_values<uint8_t>(all.labels, {n}), classes);
}

}  // namespace uncial::data
