#include "cli/paths.h"

#include <unistd.h>

#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

// UNCIAL_SOURCE_DIR and UNCIAL_BINARY_DIR are defined for this file alone (CMakeLists.txt).

namespace uncial::cli {
namespace {

namespace fs = std::filesystem;

fs::path this_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

}  // namespace

fs::path default_root() {
  const bool in_build_tree = this_program().native().starts_with(UNCIAL_BINARY_DIR "/");
  std::error_code error;
  const bool usable = fs::is_directory(UNCIAL_SOURCE_DIR, error) && ::access(UNCIAL_SOURCE_DIR, W_OK) == 0;
  return in_build_tree && usable ? fs::path(UNCIAL_SOURCE_DIR) : fs::path(".");
}

fs::path network_folder() {
  const fs::path installed = this_program().parent_path().parent_path() / "share/uncial/models";
  const fs::path source = UNCIAL_SOURCE_DIR "/examples/models";
  std::error_code error;
  for (const fs::path& folder : {installed, source})
    if (fs::is_directory(folder, error)) return folder;
  fail(ErrorKind::io, "networks: not found in ", io::printable(installed.native()), " nor ",
       io::printable(source.native()), ". Install uncial again, or name a file with --model FILE.json.");
}

}  // namespace uncial::cli
