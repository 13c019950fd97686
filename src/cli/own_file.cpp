#include "cli/own_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/report_page.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"
#include "uncial/train/history.h"

namespace uncial::cli {
namespace {

using namespace std::string_view_literals;

constexpr size_t kHead = 512;                     // all marks but that of safetensors end before
constexpr uint64_t kLongestHeader = 100'000'000;  // of safetensors, by its specification

/// A regular file that is no link, open for reading.
class File {
 public:
  explicit File(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) {
    // A file that cannot be looked into is not foreign for that.
    if (fd_ < 0)
      fail(ErrorKind::io, "output: ", io::printable(path.native()),
           ": cannot be read: ", std::strerror(errno),
           ", expected to see whose it is. Check its permissions, or name another folder with --out.");
    struct stat status {};
    if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) size_ = uint64_t(status.st_size);
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  uint64_t size() const { return size_; }
  /// Bytes from `offset` on; fewer at the end of the file or after an error.
  std::string read(uint64_t offset, uint64_t bytes) const {
    std::string text(size_t(std::min(bytes, size_ - std::min(size_, offset))), '\0');
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t n = ::pread(fd_, text.data() + done, text.size() - done, off_t(offset + done));
      if (n <= 0) break;
      done += size_t(n);
    }
    text.resize(done);
    return text;
  }

 private:
  int fd_;
  uint64_t size_ = 0;
};

bool is_own_json(std::string_view head) { return head.starts_with("{\n  \"generator\": \"uncial "); }

bool is_own_page(std::string_view head) { return head.starts_with(kPageStart); }

bool is_own_table(std::string_view head) { return head.starts_with(train::History().csv()); }

bool is_own_png(std::string_view head) {
  constexpr size_t kTextChunk = 8 + 25 + 4;  // signature, IHDR, length of the next chunk
  return head.starts_with("\x89PNG\r\n\x1a\n"sv) && head.size() > kTextChunk &&
         head.substr(kTextChunk).starts_with("tEXtSoftware\0uncial "sv);
}

bool is_own_drawing(std::string_view head) {
  constexpr std::string_view kStart = "<!-- uncial ";
  if (!head.starts_with(kStart)) return false;
  const size_t end = head.find_first_of(" \n", kStart.size());  // of the version
  return end != head.npos && head.substr(end).starts_with(" -->\n<svg xmlns=\"");
}

/// The beginning of a header whose end is missing. In front of a name inside a text there would be a
/// backslash.
bool is_own_start(std::string_view header) {
  if (!header.starts_with("{\"__metadata__\":{")) return false;
  const size_t format = header.find("\"format\":\"uncial-");
  return format != header.npos && (header[format - 1] == '{' || header[format - 1] == ',');
}

bool is_own_model(std::string_view head, const File& file) {
  constexpr size_t kLength = 8;  // bytes of the header's length, little-endian
  if (head.size() <= kLength || head[kLength] != '{') return false;
  uint64_t length = 0;
  for (size_t i = 0; i < kLength; ++i) length |= uint64_t(uint8_t(head[i])) << 8 * i;
  if (length > kLongestHeader) return false;
  if (length > file.size() - kLength) return is_own_start(head.substr(kLength));
  const auto header = nlohmann::json::parse(file.read(kLength, length), nullptr, false);
  if (!header.is_object() || !header.contains("__metadata__")) return false;
  const auto& metadata = header["__metadata__"];
  if (!metadata.is_object() || !metadata.contains("format")) return false;
  return metadata["format"] == "uncial-model" || metadata["format"] == "uncial-checkpoint";
}

}  // namespace

bool is_own_file(const std::filesystem::path& path) {
  const File file(path);
  const std::string head = file.read(0, kHead);
  return is_own_json(head) || is_own_png(head) || is_own_drawing(head) || is_own_page(head) ||
         is_own_table(head) || is_own_model(head, file);
}

}  // namespace uncial::cli
