#include "io/zip.h"

#include <algorithm>
#include <vector>

#include "io/inflate.h"
#include "io/posix.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::io {
namespace {

constexpr std::string_view kWhat = "read_zip_member";
constexpr int64_t kEndRecord = 22, kEntry = 46, kLocalHeader = 30;

uint32_t little16(const char* p) { return uint32_t(uint8_t(p[0])) | uint32_t(uint8_t(p[1])) << 8; }
uint32_t little32(const char* p) { return little16(p) | little16(p + 2) << 16; }

struct Archive {
  FileReader file;
  std::string where;

  [[noreturn]] void damaged(int64_t at, std::string_view cause) const {
    fail(ErrorKind::data, where, "@byte ", at, ": ", cause, ". Fetch the archive again.");
  }
  std::string read(int64_t at, int64_t bytes) {
    if (at < 0 || bytes < 0 || at > file.size() - bytes) damaged(at, "the zip archive is cut off or damaged");
    std::string out(size_t(bytes), '\0');
    file.seek(at);
    file.read(out.data(), out.size());
    return out;
  }
};

struct Entry {
  uint32_t method, crc;
  int64_t compressed, size, local_header;
};

/// The central directory's bytes; the record that locates it is among the last 64 KiB.
std::string central_directory(Archive& archive) {
  const int64_t tail_bytes = std::min<int64_t>(archive.file.size(), kEndRecord + 65535);
  const int64_t tail_at = archive.file.size() - tail_bytes;
  const std::string tail = archive.read(tail_at, tail_bytes);
  for (int64_t i = tail_bytes - kEndRecord; i >= 0; --i) {
    const char* record = tail.data() + i;
    if (little32(record) != 0x06054b50) continue;
    if (i + kEndRecord + little16(record + 20) != tail_bytes)
      continue;  // not the comment's length: chance match
    if (little32(record + 16) == 0xffffffff) archive.damaged(tail_at + i, "zip64 archives are not supported");
    return archive.read(little32(record + 16), little32(record + 12));
  }
  archive.damaged(tail_at, "not a zip archive, or its end is missing");
}

Entry find_entry(Archive& archive, std::string_view name) {
  const std::string directory = central_directory(archive);
  for (int64_t at = 0; at < int64_t(directory.size());) {
    const char* entry = directory.data() + at;
    if (int64_t(directory.size()) - at < kEntry || little32(entry) != 0x02014b50)
      archive.damaged(at, "the zip directory is damaged");
    const int64_t name_bytes = little16(entry + 28),
                  next = at + kEntry + name_bytes + little16(entry + 30) + little16(entry + 32);
    if (next > int64_t(directory.size())) archive.damaged(at, "the zip directory is damaged");
    if (std::string_view(entry + kEntry, size_t(name_bytes)) == name) {
      if (little16(entry + 8) & 1) archive.damaged(at, "the zip entry is encrypted");
      return {little16(entry + 10), little32(entry + 16), little32(entry + 20), little32(entry + 24),
              little32(entry + 42)};
    }
    at = next;
  }
  fail(ErrorKind::data, archive.where, ": has no file ", printable(name), ". Fetch the archive again.");
}

}  // namespace

std::string read_zip_member(const std::filesystem::path& path, std::string_view name, int64_t limit) {
  Archive archive{FileReader(kWhat, path), join(kWhat, ": ", printable(path.native()))};
  const Entry entry = find_entry(archive, name);
  const std::string where = archive.where + ": " + printable(name);
  if (entry.size > limit)
    fail(ErrorKind::data, where, ": has ", entry.size, " bytes, expected at most ", limit, ".");
  if (entry.method != 0 && entry.method != 8)
    fail(ErrorKind::data, where, ": compression method ", entry.method,
         ", expected 0 (stored) or 8 (deflate).");

  const std::string header = archive.read(entry.local_header, kLocalHeader);
  if (little32(header.data()) != 0x04034b50) archive.damaged(entry.local_header, "no zip entry here");
  const int64_t start =
      entry.local_header + kLocalHeader + little16(header.data() + 26) + little16(header.data() + 28);
  if (start > archive.file.size() - entry.compressed)
    archive.damaged(start, "the zip entry passes the end of the file");
  archive.file.seek(start);

  int64_t left = entry.compressed;
  const auto source = [&](void* data, size_t bytes) {
    const size_t taken = archive.file.read(data, size_t(std::min<int64_t>(int64_t(bytes), left)));
    left -= int64_t(taken);
    return taken;
  };
  // One byte more than declared is asked for, so that a longer stream shows itself.
  std::string content(size_t(entry.size) + 1, '\0');
  const size_t got =
      entry.method == 0
          ? source(content.data(), content.size())
          : InflateReader(where, InflateFormat::raw, source).read(content.data(), content.size());
  if (int64_t(got) != entry.size)
    fail(ErrorKind::data, where, ": unpacks to ", got, int64_t(got) > entry.size ? " or more" : "",
         " bytes, expected ", entry.size, ". Fetch the archive again.");
  content.pop_back();
  if (crc32(content.data(), content.size()) != entry.crc)
    fail(ErrorKind::data, where, ": checksum differs; the archive is damaged. Fetch it again.");
  return content;
}

}  // namespace uncial::io
