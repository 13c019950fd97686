#include "uncial/data/idx.h"

#include <sys/stat.h>

#include "support/bytes.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "uncial/core/sha256.h"

using namespace uncial;
using namespace uncial::test;

namespace {

std::string idx(int type, std::initializer_list<uint32_t> extents, const std::string& values) {
  std::string out = {0, 0, char(type), char(extents.size())};
  for (const uint32_t e : extents) out += big32(e);
  return out + values;
}

data::IdxArray parsed(const std::string& bytes, const data::IdxOptions& options = {}) {
  return data::read_idx(std::as_bytes(std::span(bytes)), "test.idx", options);
}

template <class... Parts>
void refused(const std::string& bytes, Parts... parts) {
  check_error(
      ErrorKind::data, [&] { parsed(bytes); }, "test.idx", parts...);
}

const std::string kSmall = idx(8, {2, 3}, "abcdef");

}  // namespace

TEST_CASE("idx files of every type", "[data]") {
  const data::IdxArray small = parsed(kSmall);
  CHECK(small.values.shape() == Shape{2, 3});
  CHECK(small.values.dtype() == DType::uint8);
  CHECK(small.values.at({1, 2}) == 'f');
  CHECK(small.sha256 == sha256_hex(kSmall.data(), kSmall.size()));

  const Tensor int8 = parsed(idx(9, {2}, "\x7f\x80")).values;
  CHECK(int8.dtype() == DType::int32);
  CHECK((int8.at({0}) == 127 && int8.at({1}) == -128));
  const Tensor int16 = parsed(idx(0x0b, {2}, "\x01\x02\xff\xfe")).values;
  CHECK((int16.at({0}) == 258 && int16.at({1}) == -2));
  CHECK(parsed(idx(0x0c, {1}, "\xff\xff\xff\xfd")).values.at({0}) == -3);
  CHECK(parsed(idx(0x0d, {1}, std::string("\x3f\xc0\0\0", 4))).values.at({0}) == 1.5);
  const Tensor doubles = parsed(idx(0x0e, {1}, std::string("\xc0\x04\0\0\0\0\0\0", 8))).values;
  CHECK(doubles.dtype() == DType::float64);
  CHECK(doubles.at({0}) == -2.5);
  CHECK(parsed(idx(8, {0, 28, 28}, "")).values.shape() == Shape{0, 28, 28});

  // Longer than the block that values are converted in.
  std::string numbers;
  for (uint32_t i = 0; i < 400'000; ++i) numbers += big32(i);
  const Tensor many = parsed(idx(0x0c, {400'000}, numbers)).values;
  CHECK((many.at({262'143}) == 262'143 && many.at({262'144}) == 262'144 && many.at({399'999}) == 399'999));
}

TEST_CASE("gzip is told by content, in one member or several", "[data]") {
  const TempFolder folder;
  write_bytes(folder / "packed", gzipped(kSmall));
  write_bytes(folder / "plain.gz", kSmall);
  write_bytes(folder / "members.gz", gzipped(kSmall.substr(0, 5)) + gzipped("") + gzipped(kSmall.substr(5)));
  const std::string sum = sha256_hex(kSmall.data(), kSmall.size());
  for (const char* name : {"packed", "plain.gz", "members.gz"}) {
    const data::IdxArray array = data::read_idx(folder / name);
    CHECK(array.sha256 == sum);
    CHECK(array.values.at({1, 0}) == 'd');
  }
}

TEST_CASE("damaged gzip files are refused", "[data]") {
  const std::string good = gzipped(kSmall);
  for (size_t length = 2; length < good.size(); ++length) refused(good.substr(0, length), "ends early");
  refused(good + "rubbish", "bytes follow the end");
  refused(good + std::string(512, '\0'), "bytes follow the end");
  refused(good + good.substr(0, 10), "ends early");
  for (const size_t from_end : {1, 4, 5, 8}) {  // ISIZE and CRC-32
    std::string bad = good;
    bad[bad.size() - from_end] ^= 1;
    refused(bad, "checksum differs");
  }
  std::string bad = good;
  bad[10] = char(bad[10] | 6);  // block type 3 does not exist
  refused(bad, "damaged after");
}

TEST_CASE("a gzip bomb is cut at the size that its header declares", "[data]") {
  refused(gzipped(idx(8, {10}, std::string(200 << 20, '\0'))), "goes on after the 18 bytes");
  // Declares far more than so few bytes can hold: refused before anything is allocated.
  refused(gzipped(idx(8, {4, 1u << 30}, "abc")), "short by at least");
}

TEST_CASE("idx headers that cannot be are refused", "[data]") {
  refused("", "0 bytes, need >= 4");
  refused(std::string(3, '\0'), "3 bytes, need >= 4");
  refused("<!DOCTYPE html><html>", "looks like HTML");
  refused(gzipped("<!DOCTYPE html><html>"), "looks like HTML");
  refused(std::string("\x12\x34\x08\x01", 4), "begins with 12 34 08 01");
  refused(idx(0x0a, {1}, "a"), "type code 0x0a", "0x08 (uint8)", "0x0e (float64)");
  refused(idx(8, {}, "a"), "0 dimensions, expected 1 to 8");
  refused(std::string("\0\0\x08\xff", 4) + std::string(2000, '\1'), "255 dimensions, expected 1 to 8");
  refused(idx(8, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "a"), "9 dimensions");
  refused(idx(8, {0xffffffff}, "a"), "short by 4294967294 bytes");
  check_error(
      ErrorKind::data, [] { parsed(idx(8, {100}, ""), {.max_bytes = 99}); }, "(100)", "at most 99");
  refused(idx(8, {0xffffffff, 0xffffffff, 0xffffffff}, "a"), "more than 2^63");
  refused(idx(8, {0, 0xffffffff, 0xffffffff, 0xffffffff}, ""), "more than 2^63");
  refused(kSmall.substr(0, 10), "ends inside the header");
}

TEST_CASE("idx bodies must have the declared length", "[data]") {
  const std::string images = idx(8, {60, 28, 28}, std::string(59 * 784, '\0'));
  refused(images, "short by 784 bytes");
  refused(gzipped(images), "short by 784 bytes");
  refused(kSmall + "x", "goes on after the 18 bytes");
  refused(gzipped(kSmall + "x"), "goes on after the 18 bytes");
}

TEST_CASE("idx files that are no regular files are refused", "[data]") {
  const TempFolder folder;
  check_error(
      ErrorKind::io, [&] { data::read_idx(folder / "none"); }, "none", "No such file");
  check_error(
      ErrorKind::io, [&] { data::read_idx(folder.path()); }, "directory");
  check_error(
      ErrorKind::io, [&] { data::read_idx("/dev/zero"); }, "device");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  check_error(
      ErrorKind::io, [&] { data::read_idx(folder / "fifo"); }, "FIFO");
}

TEST_CASE("images and labels must belong together", "[data]") {
  const TempFolder folder;
  const auto refused_pair = [&](const std::string& images, const std::string& labels, auto... parts) {
    write_bytes(folder / "i", images);
    write_bytes(folder / "l", labels);
    const auto read = [&] { data::read_idx_dataset("digits", folder / "i", folder / "l", {"0", "1"}); };
    check_error(ErrorKind::data, read, "digits", parts...);
  };
  const std::string images = idx(8, {3, 2, 2}, std::string(12, 'p')),
                    labels = idx(8, {3}, std::string("\0\1\0", 3));
  write_bytes(folder / "i", gzipped(images));
  write_bytes(folder / "l", labels);
  const data::Dataset set = data::read_idx_dataset("digits", folder / "i", folder / "l", {"0", "1"});
  CHECK(set.size() == 3);
  CHECK(set.label(1) == 1);
  CHECK(set.sample_shape() == Shape{1, 2, 2});

  refused_pair(images, idx(8, {2}, std::string(2, '\0')), "3 images", "2 labels");
  refused_pair(labels, images, "images file has 1 dims", "exchanged");
  refused_pair(images, images, "labels file has 3 dims", "labels need 1");
  refused_pair(images, idx(8, {3}, std::string("\0\1\2", 3)), "label 2 at index 2");
  refused_pair(images, idx(8, {3}, std::string("\0\xff\0", 3)), "label 255 at index 1");
  refused_pair(idx(8, {0, 2, 2}, ""), idx(8, {0}, ""), "data set is empty");
  refused_pair(idx(8, {3, 0, 0}, ""), labels, "no pixels");
  refused_pair(idx(8, {3, 28, 0}, ""), labels, "no pixels", "28");
  refused_pair(idx(0x0c, {1, 1, 1}, "abcd"), idx(8, {1}, std::string(1, '\0')), "int32, expected uint8");
}
