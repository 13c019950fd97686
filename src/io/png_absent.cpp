// Stands in for png_read.cpp in a build without libpng.
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/png.h"

namespace uncial::io {

Tensor read_png(std::span<const std::byte>, const std::string& name, const PngOptions&) {
  fail(ErrorKind::io, "read_png: ", printable(name),
       ": this build reads no PNG files. Install libpng and build again with -DUNCIAL_PNG=ON.");
}

Tensor read_png(const std::filesystem::path& path, const PngOptions& options) {
  return read_png({}, path.native(), options);
}

}  // namespace uncial::io
