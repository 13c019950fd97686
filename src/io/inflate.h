#pragma once
/// Streaming decompression with every fault an Error(data). zlib stays inside the .cpp file.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace uncial::io {

enum class InflateFormat {
  gzip,  ///< RFC 1952; several members are read as one stream, CRC-32 and length of each are checked
  raw,   ///< RFC 1951 without a frame, as in zip archives
};

/// Decompresses what `source` delivers. Memory: one 64 KiB buffer and zlib's 32 KiB window, whatever the data
/// says.
class InflateReader {
 public:
  /// Fills a buffer with up to so many compressed bytes and returns how many; fewer only at the end.
  using Source = std::function<size_t(void*, size_t)>;

  /// `what` opens every message, such as "read_idx: data/mnist/x.gz".
  InflateReader(std::string what, InflateFormat format, Source source);
  ~InflateReader();
  InflateReader(InflateReader&&) noexcept;
  InflateReader& operator=(InflateReader&&) noexcept;

  /// Up to `bytes` decompressed bytes; fewer only at the end of the stream, after its checksums were found
  /// right. Throws Error(data) when the stream is cut, damaged, or followed by anything else.
  size_t read(void* data, size_t bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// CRC-32 as gzip, zip and PNG use it; `crc` continues an earlier call.
uint32_t crc32(const void* data, size_t bytes, uint32_t crc = 0);

}  // namespace uncial::io
