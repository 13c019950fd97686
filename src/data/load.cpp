#include <algorithm>
#include <array>
#include <optional>

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

/// The file in this folder, under its published name or unpacked.
std::optional<fs::path> file_in(const fs::path& folder, const FileRecord& file) {
  std::error_code error;
  const std::string_view plain = file.name.substr(0, file.name.size() - 3);
  if (fs::exists(folder / file.name, error)) return folder / file.name;
  if (!file.plain_sha256.empty() && fs::exists(folder / plain, error)) return folder / plain;
  return std::nullopt;
}

/// The first folder with a file of the set. Should another one be missing there, it is not taken from the
/// next folder: who named a folder means to read that one.
fs::path find_folder(const SetRecord& set, const LoadOptions& options) {
  std::string looked;
  for (const fs::path& folder : data_folders(options.directory, set.folder)) {
    if (std::ranges::any_of(set.files,
                            [&](const FileRecord& file) { return file_in(folder, file).has_value(); }))
      return folder;
    (looked += looked.empty() ? "" : ", ") += io::printable(folder.native());
  }
  fail(ErrorKind::io, set.name, ": ", set.files.front().name, ": not found in ", looked, ". ",
       how_to_get(set));
}

fs::path find_file(const SetRecord& set, const FileRecord& file, const fs::path& folder) {
  if (auto path = file_in(folder, file)) return *std::move(path);
  fail(ErrorKind::io, set.name, ": ", file.name, ": not found in ", io::printable(folder.native()),
       ", which has others of its files. ", how_to_get(set));
}

/// Values whose checksum was found right: the uncompressed one where it is known, so that any gzip of the
/// same bytes will do, else that of the file as published.
Tensor read_checked(const SetRecord& set, const FileRecord& file, const fs::path& folder) {
  const fs::path path = find_file(set, file, folder);
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
  const fs::path folder = find_folder(set, options);
  std::array<Tensor, 4> parts;
  for (size_t i = 0; i < parts.size(); ++i) parts[i] = read_checked(set, set.files[i], folder);
  return {assemble(set, "train", parts[0], parts[1]), assemble(set, "test", parts[2], parts[3])};
}

Splits mnist(const LoadOptions& options) { return load("mnist", options); }

}  // namespace uncial::data
