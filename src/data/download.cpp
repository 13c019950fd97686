#include "uncial/data/download.h"

#include "data/catalogue.h"
#include "data/fetch.h"
#include "data/locate.h"
#include "io/zip.h"
#include "uncial/data/idx.h"
#include "uncial/io/atomic_file.h"

namespace uncial::data {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargestMember = int64_t(1) << 30;  // EMNIST ByClass has the largest: some 0.2 GB

std::vector<std::string> urls_of(const SetRecord& set, const FileRecord& file,
                                 const DownloadOptions& options) {
  std::vector<std::string> urls;
  for (const std::string& mirror : options.mirrors) urls.push_back(join(mirror, file.name));
  if (urls.empty())
    for (const std::string_view mirror : set.mirrors) urls.push_back(join(mirror, file.name));
  return urls;
}

/// True when the file is there with the right content, in whatever gzip form: MNIST as it comes with the
/// library is compressed differently from the published files.
bool is_whole(const fs::path& path, const FileRecord& file) try {
  std::error_code error;
  if (!fs::exists(path, error)) return false;
  return file_sha256(path) == file.sha256 ||
         (!file.plain_sha256.empty() && read_idx(path).sha256 == file.plain_sha256);
} catch (const Error&) {
  return false;  // unreadable or damaged: fetch() says so and replaces it
}

void fetch_record(const SetRecord& set, const FileRecord& file, const fs::path& folder,
                  const DownloadOptions& options) {
  const std::string advice =
      join("Check the network and try again, or fetch ", file.name, " elsewhere and place it into ",
           io::printable(folder.native()), " by hand (data/README.md).");
  fetch({urls_of(set, file, options), folder / file.name, file.bytes, std::string(file.sha256), advice},
        options);
}

void fetch_members(const SetRecord& set, const fs::path& folder, const DownloadOptions& options) {
  for (const FileRecord& file : set.files) {
    if (is_whole(folder / file.name, file)) continue;
    fetch_record(set, set.archive->file, folder, options);
    const std::string member = join(set.archive->folder, file.name);
    io::write_atomically(folder / file.name,
                         io::read_zip_member(folder / set.archive->file.name, member, kLargestMember));
  }
}

}  // namespace

fs::path download(std::string_view name, const DownloadOptions& options) {
  const SetRecord& set = find_set(name, "download");
  require(options.connect_seconds >= 1 && options.stall_seconds >= 1,
          "download: connect_seconds and stall_seconds must be >= 1, got ", options.connect_seconds, " and ",
          options.stall_seconds, ".");
  const fs::path folder = (options.directory.empty() ? download_root() : options.directory) / set.folder;
  if (set.archive) {
    fetch_members(set, folder, options);
  } else {
    for (const FileRecord& file : set.files)
      if (!is_whole(folder / file.name, file)) fetch_record(set, file, folder, options);
  }
  return folder;
}

}  // namespace uncial::data
