#include <algorithm>
#include <array>

#include "data/catalogue.h"
#include "data/locate.h"
#include "uncial/core/sha256.h"
#include "uncial/data/download.h"
#include "uncial/data/idx.h"
#include "uncial/io/atomic_file.h"

namespace uncial::data {
namespace {

namespace fs = std::filesystem;

std::string how_to_get(const SetRecord& set) {
  return join(set.name == "mnist" ? "Run `mnist_prepare`, which downloads it again"
                                  : join("Call data::download(\"", set.name, "\")"),
              ", or place it by hand (data/README.md).");
}

/// The first folder with the file, under its published name or unpacked.
fs::path find_file(const SetRecord& set, const FileRecord& file, const LoadOptions& options) {
  std::string looked;
  for (const fs::path& folder : data_folders(options.directory, set.folder)) {
    std::error_code error;
    const std::string_view plain = file.name.substr(0, file.name.size() - 3);
    if (fs::exists(folder / file.name, error)) return folder / file.name;
    if (!file.plain_sha256.empty() && fs::exists(folder / plain, error)) return folder / plain;
    (looked += looked.empty() ? "" : ", ") += io::printable(folder.native());
  }
  fail(ErrorKind::io, set.name, ": ", file.name, ": not found in ", looked, ". ", how_to_get(set));
}

/// Values whose checksum was found right: the uncompressed one where it is known, so that any gzip of the
/// same bytes will do, else that of the file as published.
Tensor read_checked(const SetRecord& set, const FileRecord& file, const LoadOptions& options) {
  const fs::path path = find_file(set, file, options);
  const auto check = [&](std::string_view got, std::string_view expected) {
    if (got != expected)
      fail(ErrorKind::data, set.name, ": ", io::printable(path.native()), ": SHA-256 is ", got, ", expected ",
           expected, ". Delete the file. ", how_to_get(set));
  };
  if (!file.plain_sha256.empty()) {
    IdxArray array = read_idx(path);
    check(array.sha256, file.plain_sha256);
    return std::move(array.values);
  }
  const std::string content = io::read_file(path);
  check(sha256_hex(content.data(), content.size()), file.sha256);
  return read_idx(std::as_bytes(std::span(content)), path.native()).values;
}

void transpose_images(const Tensor& images) {
  const int64_t side = images.size(2);
  uint8_t* image = images.data<uint8_t>();
  for (int64_t n = 0; n < images.size(0); ++n, image += side * side)
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < y; ++x) std::swap(image[y * side + x], image[x * side + y]);
}

Dataset assemble(const SetRecord& set, std::string_view part, const Tensor& images, const Tensor& labels) {
  if (set.transposed) transpose_images(images);
  for (uint8_t& label : labels.span<uint8_t>()) label = uint8_t(label - set.first_label);
  return labelled_images(join(set.name, " ", part), images, labels, class_names(set));
}

}  // namespace

Splits load(std::string_view name, const LoadOptions& options) {
  const SetRecord& set = find_set(name, "load");
  std::array<Tensor, 4> parts;
  for (size_t i = 0; i < parts.size(); ++i) parts[i] = read_checked(set, set.files[i], options);
  return {assemble(set, "train", parts[0], parts[1]), assemble(set, "test", parts[2], parts[3])};
}

Splits mnist(const LoadOptions& options) { return load("mnist", options); }

}  // namespace uncial::data
