#include "io/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "uncial/core/error.h"

namespace uncial::io {
namespace {

constexpr size_t kBuffer = 64 * 1024;

}  // namespace

struct InflateReader::State {
  std::string what;
  InflateFormat format;
  Source source;
  std::vector<Bytef> buffer = std::vector<Bytef>(kBuffer);
  z_stream stream{};
  int64_t produced = 0;
  bool finished = false;

  ~State() { inflateEnd(&stream); }

  /// Makes compressed bytes available; false at the end of the source.
  bool refill() {
    if (stream.avail_in > 0) return true;
    stream.avail_in = uInt(source(buffer.data(), buffer.size()));
    stream.next_in = buffer.data();
    return stream.avail_in > 0;
  }

  /// At the end of a member: another gzip member, the end of the file, or rubbish.
  void next_member() {
    if (format == InflateFormat::raw || !refill()) {
      finished = true;
      return;
    }
    const bool magic = stream.next_in[0] == 0x1f && (stream.avail_in < 2 || stream.next_in[1] == 0x8b);
    if (!magic)
      fail(ErrorKind::data, what, ": bytes follow the end of the gzip stream (after ", produced,
           " decompressed bytes), expected the end of the file. Fetch the file again.");
    inflateReset(&stream);
  }

  [[noreturn]] void damaged() {
    const std::string_view cause = stream.msg ? stream.msg : "unreadable data";
    if (cause == "incorrect data check" || cause == "incorrect length check")
      fail(ErrorKind::data, what, ": checksum differs: ", cause, " after ", produced,
           " decompressed bytes; the file is damaged. Fetch it again.");
    fail(ErrorKind::data, what, ": damaged after ", produced, " decompressed bytes: ", cause,
         ". Fetch the file again.");
  }
};

InflateReader::InflateReader(std::string what, InflateFormat format, Source source)
    : state_(std::make_unique<State>()) {
  state_->what = std::move(what);
  state_->format = format;
  state_->source = std::move(source);
  const int window_bits = format == InflateFormat::gzip ? 15 + 16 : -15;
  if (inflateInit2(&state_->stream, window_bits) != Z_OK)
    fail(ErrorKind::device, state_->what, ": no memory to decompress.");
}

InflateReader::~InflateReader() = default;
InflateReader::InflateReader(InflateReader&&) noexcept = default;
InflateReader& InflateReader::operator=(InflateReader&&) noexcept = default;

size_t InflateReader::read(void* data, size_t bytes) {
  State& s = *state_;
  size_t done = 0;
  while (done < bytes && !s.finished) {
    // The end of the source is no error yet: zlib may still hold output.
    s.refill();
    const auto room = uInt(std::min<size_t>(bytes - done, size_t(1) << 30));
    s.stream.next_out = static_cast<Bytef*>(data) + done;
    s.stream.avail_out = room;
    const int status = inflate(&s.stream, Z_NO_FLUSH);
    done += room - s.stream.avail_out;
    s.produced += room - s.stream.avail_out;
    if (status == Z_STREAM_END) {
      s.next_member();
    } else if (status == Z_BUF_ERROR) {
      fail(ErrorKind::data, s.what, ": ", s.format == InflateFormat::gzip ? "gzip" : "compressed data",
           " ends early after ", s.produced, " decompressed bytes. Fetch the file again.");
    } else if (status == Z_MEM_ERROR) {
      fail(ErrorKind::device, s.what, ": no memory to decompress.");
    } else if (status != Z_OK) {
      s.damaged();
    }
  }
  return done;
}

uint32_t crc32(const void* data, size_t bytes, uint32_t crc) {
  return uint32_t(::crc32_z(crc, static_cast<const Bytef*>(data), bytes));
}

}  // namespace uncial::io
