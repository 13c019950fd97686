#include "data/locate.h"

#include <dlfcn.h>

#include <cstdlib>

#include "uncial/core/error.h"

// UNCIAL_DATA_INSTALL_DIR and UNCIAL_DATA_SOURCE_DIR are defined for this file alone (sources.cmake).

namespace uncial::data {
namespace {

namespace fs = std::filesystem;

fs::path from_environment() {
  const char* value = std::getenv("UNCIAL_DATA");
  return value ? fs::path(value) : fs::path();
}

/// share/uncial/data beside the lib or bin folder this code was loaded from, so that a moved installation
/// finds its files. lib/<architecture> is one level deeper.
std::vector<fs::path> beside_this_binary() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&beside_this_binary), &info) == 0 || !info.dli_fname) return {};
  std::error_code error;
  const fs::path binary = fs::canonical(info.dli_fname, error);
  if (error) return {};
  const fs::path up = binary.parent_path().parent_path();
  return {up / "share/uncial/data", up.parent_path() / "share/uncial/data"};
}

}  // namespace

std::vector<fs::path> data_folders(const fs::path& directory, std::string_view set_folder) {
  if (!directory.empty()) return {directory, directory / set_folder};
  std::vector<fs::path> roots;
  if (const fs::path named = from_environment(); !named.empty()) roots.push_back(named);
  for (const fs::path& root : beside_this_binary()) roots.push_back(root);
  roots.emplace_back(UNCIAL_DATA_INSTALL_DIR);
  roots.emplace_back(UNCIAL_DATA_SOURCE_DIR);

  std::vector<fs::path> folders;
  for (const fs::path& root : roots) folders.push_back(root / set_folder);
  return folders;
}

fs::path download_root() {
  if (const fs::path named = from_environment(); !named.empty()) return named;
  std::error_code error;
  if (fs::path source = UNCIAL_DATA_SOURCE_DIR; fs::is_directory(source, error)) return source;
  fail(ErrorKind::usage, "download: name a folder (DownloadOptions::directory), or set UNCIAL_DATA to one.");
}

}  // namespace uncial::data
