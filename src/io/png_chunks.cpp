#include "io/png_chunks.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "io/inflate.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::io {
namespace {

constexpr std::array<uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr size_t kFrame = 12;  // length, type and checksum around the content

uint32_t big32(const uint8_t* p) {
  return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | uint32_t(p[3]);
}

std::string_view what_it_is(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xff\xd8\xff")) return "a JPEG";
  if (text.starts_with("GIF8")) return "a GIF";
  if (text.starts_with("BM")) return "a BMP";
  if (text.starts_with("RIFF")) return "a WebP";
  if (text.starts_with("<")) return "HTML or SVG";
  if (bytes.empty()) return "empty";
  return "something else";
}

class ChunkWalker {
 public:
  ChunkWalker(std::span<const uint8_t> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  PngHeader walk(int64_t max_pixels) {
    if (bytes_.size() < kSignature.size() ||
        !std::equal(kSignature.begin(), kSignature.end(), bytes_.begin()))
      fail(ErrorKind::data, where_, ": is ", what_it_is(bytes_), ", not PNG. Convert it first.");
    PngHeader header{};
    bool first = true, data = false, closed = false;
    for (at_ = kSignature.size(); !closed; at_ += kFrame + length_) {
      read_chunk();
      if (first != (type_ == "IHDR")) bad(first ? "the first chunk is not IHDR" : "a second IHDR chunk");
      if (first) header = read_header(max_pixels);
      first = false;
      data = data || type_ == "IDAT";
      closed = type_ == "IEND";
    }
    if (!data) fail(ErrorKind::data, where_, ": has no IDAT chunk, so no picture. Make the file again.");
    if (at_ != bytes_.size())
      fail(ErrorKind::data, where_, "@byte ", at_, ": ", bytes_.size() - at_,
           " bytes follow the end of the picture. Make the file again.");
    return header;
  }

 private:
  void read_chunk() {
    const size_t left = bytes_.size() - at_;
    if (left < kFrame)
      fail(ErrorKind::data, where_, "@byte ", at_, ": the file ends early, before its IEND chunk.");
    const uint8_t* chunk = bytes_.data() + at_;
    length_ = big32(chunk);
    type_ = std::string_view(reinterpret_cast<const char*>(chunk) + 4, 4);
    if (length_ > 0x7fffffff || length_ > left - kFrame)
      bad(join("length ", length_, " passes the end of the file, expected at most ", left - kFrame));
    if (crc32(chunk + 4, 4 + length_) != big32(chunk + 8 + length_))
      bad("checksum differs, the file is damaged");
  }

  PngHeader read_header(int64_t max_pixels) {
    if (length_ != 13) bad(join("length ", length_, ", expected 13"));
    const PngHeader h{big32(bytes_.data() + at_ + 8), big32(bytes_.data() + at_ + 12)};
    constexpr int64_t kMaxExtent = 0x7fffffff;
    if (h.width < 1 || h.height < 1 || h.width > kMaxExtent || h.height > kMaxExtent)
      bad(join("width x height is ", h.width, " x ", h.height, ", expected 1 to 2^31-1 each"));
    if (h.width > max_pixels / h.height)
      bad(join(h.width, " x ", h.height, " pixels, expected at most ", max_pixels, " in all"));
    return h;
  }

  [[noreturn]] void bad(const std::string& cause) const {
    fail(ErrorKind::data, where_, "@byte ", at_, ": chunk ", printable(type_), ": ", cause, ".");
  }

  std::span<const uint8_t> bytes_;
  const std::string& where_;
  size_t at_ = 0;
  uint32_t length_ = 0;
  std::string_view type_;
};

}  // namespace

PngHeader check_png_chunks(std::span<const uint8_t> bytes, int64_t max_pixels, const std::string& where) {
  return ChunkWalker(bytes, where).walk(max_pixels);
}

}  // namespace uncial::io
