#include "uncial/data/idx.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "io/inflate.h"
#include "io/posix.h"
#include "uncial/core/sha256.h"
#include "uncial/io/atomic_file.h"

namespace uncial::data {
namespace {

using Source = io::InflateReader::Source;

/// The element types of the format: code, width in the file, and the type they come as.
struct IdxType {
  uint8_t code;
  int width;
  DType dtype;
};
constexpr std::array<IdxType, 6> kTypes = {{{0x08, 1, DType::uint8},
                                            {0x09, 1, DType::int32},
                                            {0x0b, 2, DType::int32},
                                            {0x0c, 4, DType::int32},
                                            {0x0d, 4, DType::float32},
                                            {0x0e, 8, DType::float64}}};

struct Header {
  IdxType type;
  Shape shape;
  int64_t header_bytes, value_bytes;
};

/// The uncompressed bytes of a raw or gzip file, hashed as they pass.
class Stream {
 public:
  Stream(Source source, int64_t file_bytes, const std::string& where) : file_bytes_(file_bytes) {
    std::array<uint8_t, 2> start{};
    const size_t got = source(start.data(), start.size());
    gzip_ = got == 2 && start[0] == 0x1f && start[1] == 0x8b;
    // The two bytes already taken come first again.
    Source whole = [source, start, given = size_t(0), got](void* data, size_t bytes) mutable {
      const size_t taken = std::min(bytes, got - given);
      std::memcpy(data, start.data() + given, taken);
      given += taken;
      return taken + (taken < bytes ? source(static_cast<char*>(data) + taken, bytes - taken) : 0);
    };
    if (gzip_)
      inflated_.emplace(where, io::InflateFormat::gzip, std::move(whole));
    else
      plain_ = std::move(whole);
  }

  size_t read(void* data, size_t bytes) {
    const size_t got = gzip_ ? inflated_->read(data, bytes) : plain_(data, bytes);
    hash_.update(data, got);
    return got;
  }
  /// The most bytes this stream can hold: deflate packs at most 1032 into one.
  int64_t capacity() const { return gzip_ ? file_bytes_ * 1032 : file_bytes_; }
  bool gzip() const { return gzip_; }
  std::string sha256() { return hash_.hex(); }

 private:
  int64_t file_bytes_;
  bool gzip_ = false;
  Source plain_;
  std::optional<io::InflateReader> inflated_;
  Sha256 hash_;
};

std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t b : bytes) {
    if (!text.empty()) text += ' ';
    (text += "0123456789abcdef"[b >> 4]) += "0123456789abcdef"[b & 15];
  }
  return text;
}

uint32_t big32(const uint8_t* p) {
  return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | uint32_t(p[3]);
}

IdxType find_type(uint8_t code, const std::string& where) {
  for (const IdxType& type : kTypes)
    if (type.code == code) return type;
  fail(ErrorKind::data, where, "@byte 2: type code 0x", hex(std::span(&code, 1)),
       ", expected 0x08 (uint8), 0x09 (int8), 0x0b (int16), 0x0c (int32), 0x0d (float32) or 0x0e (float64).");
}

void check_magic(std::span<const uint8_t> magic, size_t got, const std::string& where) {
  if (got > 0 && magic[0] == '<')
    fail(ErrorKind::data, where,
         ": looks like HTML, expected an IDX file. The mirror is gone; fetch it from another.");
  if (got < 4)
    fail(ErrorKind::data, where, ": ", got,
         " bytes, need >= 4. The file is empty or cut off; fetch it again.");
  if (magic[0] != 0 || magic[1] != 0)
    fail(ErrorKind::data, where, "@byte 0: begins with ", hex(magic),
         ", expected 00 00 and type and rank of an IDX file.");
  if (magic[3] < 1 || magic[3] > kMaxRank)
    fail(ErrorKind::data, where, "@byte 3: ", int(magic[3]), " dimensions, expected 1 to ", kMaxRank, ".");
}

Header read_header(Stream& stream, const IdxOptions& options, const std::string& where) {
  std::array<uint8_t, 4> magic{};
  const size_t got = stream.read(magic.data(), magic.size());
  check_magic(magic, got, where);
  Header h{find_type(magic[2], where), {}, 4 + 4 * int64_t(magic[3]), 0};
  std::array<uint8_t, 4 * kMaxRank> extents{};
  const size_t extent_bytes = 4 * size_t(magic[3]);
  if (stream.read(extents.data(), extent_bytes) < extent_bytes)
    fail(ErrorKind::data, where, ": ends inside the header, expected ", h.header_bytes,
         " bytes of it. Fetch it again.");

  h.value_bytes = h.type.width;
  bool zero = false, overflow = false;
  for (int axis = 0; axis < magic[3]; ++axis) {
    const int64_t extent = big32(extents.data() + 4 * axis);
    h.shape.push_back(extent);
    zero = zero || extent == 0;
    // Extents beside a 0 count as well: strides are computed from them.
    if (extent > 0) overflow = overflow || __builtin_mul_overflow(h.value_bytes, extent, &h.value_bytes);
  }
  if (overflow || h.value_bytes > options.max_bytes)
    fail(ErrorKind::data, where, "@byte 4: extents ", h.shape, " need ",
         overflow ? std::string("more than 2^63") : join(h.value_bytes), " bytes, expected at most ",
         options.max_bytes, ". The header is damaged, or raise IdxOptions::max_bytes.");
  if (zero) h.value_bytes = 0;
  return h;
}

/// Before allocating: a file that cannot hold what its header declares.
void check_capacity(const Stream& stream, const Header& h, const std::string& where) {
  const int64_t declared = h.header_bytes + h.value_bytes, capacity = stream.capacity();
  if (declared > capacity)
    fail(ErrorKind::data, where, ": short by ", stream.gzip() ? "at least " : "", declared - capacity,
         " bytes: extents ", h.shape, " need ", declared, ". The file is cut off; fetch it again.");
}

template <class Wide, class Bits>
void convert(const uint8_t* in, void* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    Bits bits = 0;
    for (size_t b = 0; b < sizeof(Bits); ++b)
      bits = Bits(uint64_t(bits) << 8 | in[size_t(i) * sizeof(Bits) + b]);
    Wide value;
    if constexpr (sizeof(Wide) == sizeof(Bits))
      std::memcpy(&value, &bits, sizeof value);
    else
      value = Wide(std::make_signed_t<Bits>(bits));
    std::memcpy(static_cast<char*>(out) + size_t(i) * sizeof value, &value, sizeof value);
  }
}

void convert(const IdxType& type, const uint8_t* in, void* out, int64_t count) {
  switch (type.code) {
    case 0x08:
      std::memcpy(out, in, size_t(count));
      return;
    case 0x09:
      return convert<int32_t, uint8_t>(in, out, count);
    case 0x0b:
      return convert<int32_t, uint16_t>(in, out, count);
    case 0x0e:
      return convert<double, uint64_t>(in, out, count);
    default:
      return convert<uint32_t, uint32_t>(in, out, count);  // int32 and float32 differ in name only
  }
}

Tensor read_values(Stream& stream, const Header& h, const std::string& where) {
  Tensor values = empty(h.shape, h.type.dtype);
  constexpr int64_t kBlock = 1 << 20;
  std::vector<uint8_t> block(size_t(std::min(kBlock, h.value_bytes)));
  auto* out = static_cast<uint8_t*>(values.view().data);
  for (int64_t done = 0; done < h.value_bytes;) {
    const int64_t wanted = std::min(kBlock, h.value_bytes - done);
    const auto got = int64_t(stream.read(block.data(), size_t(wanted)));
    if (got < wanted)
      fail(ErrorKind::data, where, ": short by ", h.value_bytes - done - got, " bytes: extents ", h.shape,
           " need ", h.header_bytes + h.value_bytes, ". Fetch it again.");
    convert(h.type, block.data(), out, wanted / h.type.width);
    out += wanted / h.type.width * size_of(h.type.dtype);
    done += wanted;
  }
  // Asking for one byte more also makes gzip check its own checksum.
  uint8_t extra = 0;
  if (stream.read(&extra, 1) > 0)
    fail(ErrorKind::data, where, ": goes on after the ", h.header_bytes + h.value_bytes,
         " bytes that extents ", h.shape, " need. The file is damaged; fetch it again.");
  return values;
}

IdxArray read(Source source, int64_t file_bytes, const std::string& where, const IdxOptions& options) {
  Stream stream(std::move(source), file_bytes, where);
  const Header header = read_header(stream, options, where);
  check_capacity(stream, header, where);
  Tensor values = read_values(stream, header, where);
  return {std::move(values), stream.sha256()};
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& path, const IdxOptions& options) {
  io::FileReader file("read_idx", path);
  return read([&](void* data, size_t bytes) { return file.read(data, bytes); }, file.size(),
              "read_idx: " + io::printable(path.native()), options);
}

IdxArray read_idx(std::span<const std::byte> bytes, const std::string& name, const IdxOptions& options) {
  const auto source = [left = bytes](void* data, size_t wanted) mutable {
    const size_t taken = std::min(wanted, left.size());
    if (taken > 0) std::memcpy(data, left.data(), taken);
    left = left.subspan(taken);
    return taken;
  };
  return read(source, int64_t(bytes.size()), "read_idx: " + io::printable(name), options);
}

}  // namespace uncial::data
