#pragma once
/// Building files byte by byte, good ones and hostile ones.

#include <zlib.h>

#include <stdexcept>
#include <string_view>

#include "support/integers.h"

namespace uncial::test {

/// zlib's output for `plain`: window_bits 31 for gzip, 15 for a zlib stream (PNG), -15 for raw deflate (zip).
inline std::string deflated(std::string_view plain, int window_bits) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  std::string out(deflateBound(&stream, uLong(plain.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = uInt(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = uInt(out.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (!done) throw std::runtime_error("deflate");
  return out;
}
inline std::string gzipped(std::string_view plain) { return deflated(plain, 31); }

inline uint32_t crc(std::string_view bytes) {
  return uint32_t(::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), uInt(bytes.size())));
}

/// One chunk of a PNG file with its right checksum.
inline std::string png_chunk(std::string_view type, std::string_view content) {
  const std::string body = std::string(type) + std::string(content);
  return big32(uint32_t(content.size())) + body + big32(crc(body));
}
inline const std::string kPngSignature = "\x89PNG\r\n\x1a\n";

inline std::string png_header(uint32_t width, uint32_t height, int depth, int color, int interlace = 0) {
  return png_chunk(
      "IHDR", big32(width) + big32(height) + std::string{char(depth), char(color), 0, 0, char(interlace)});
}
/// A whole PNG file from its filtered rows (a filter byte before each); `extra` goes before the pixels.
inline std::string png_file(const std::string& header, std::string_view rows, const std::string& extra = "") {
  return kPngSignature + header + extra + png_chunk("IDAT", deflated(rows, 15)) + png_chunk("IEND", "");
}

}  // namespace uncial::test
