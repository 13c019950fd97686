#include "io/zip.h"

#include "support/bytes.h"
#include "support/errors.h"
#include "support/temp_folder.h"

using namespace uncial;
using namespace uncial::test;

namespace {

struct Member {
  std::string name, content;
  bool deflate = false;
  uint32_t declared_size = 0;  // 0: the right one
};

std::string zip(const std::vector<Member>& members) {
  std::string body, directory;
  for (const Member& m : members) {
    const std::string packed = m.deflate ? deflated(m.content, -15) : m.content;
    const uint32_t size = m.declared_size ? m.declared_size : uint32_t(m.content.size());
    const std::string facts = little16(m.deflate ? 8 : 0) + little32(0) + little32(crc(m.content)) +
                              little32(uint32_t(packed.size())) + little32(size) +
                              little16(uint32_t(m.name.size())) + little16(0);
    directory += "PK\1\2" + little16(20) + little16(20) + little16(0) + facts + little16(0) + little16(0) +
                 little16(0) + little32(0) + little32(uint32_t(body.size())) + m.name;
    body += "PK\3\4" + little16(20) + little16(0) + facts + m.name + packed;
  }
  const auto count = little16(uint32_t(members.size()));
  return body + directory + "PK\5\6" + little32(0) + count + count + little32(uint32_t(directory.size())) +
         little32(uint32_t(body.size())) + little16(0);
}

}  // namespace

TEST_CASE("zip members are found by name", "[io]") {
  const TempFolder folder;
  const std::string text(100'000, 'q');
  write_bytes(folder / "z",
              zip({{"a/x", "hello"}, {"../../evil", "no"}, {"a/y", text, true}, {"empty", ""}}));
  CHECK(io::read_zip_member(folder / "z", "a/x", 100) == "hello");
  CHECK(io::read_zip_member(folder / "z", "a/y", 100'000) == text);
  CHECK(io::read_zip_member(folder / "z", "empty", 0).empty());
  check_error(
      ErrorKind::data, [&] { io::read_zip_member(folder / "z", "b", 100); }, "has no file b");
  check_error(
      ErrorKind::data, [&] { io::read_zip_member(folder / "z", "a/y", 99'999); }, "at most 99999");
  check_error(
      ErrorKind::io, [&] { io::read_zip_member(folder / "none", "b", 100); }, "none");
  CHECK(folder.names() == std::vector<std::string>{"z"});
}

TEST_CASE("damaged zip archives are refused", "[io]") {
  const TempFolder folder;
  const auto refused = [&](const std::string& bytes, auto... parts) {
    write_bytes(folder / "z", bytes);
    check_error(
        ErrorKind::data, [&] { io::read_zip_member(folder / "z", "a", 1 << 20); }, parts...);
  };
  const std::string good = zip({{"a", std::string(1000, 'q'), true}});
  refused("", "not a zip");
  refused("<html>", "not a zip");
  refused(good.substr(0, good.size() - 1), "not a zip");
  refused(good.substr(20), "");
  for (size_t at = 0; at + 1 < good.size(); ++at) {
    // Whatever byte is damaged: the right content or an Error, never anything else.
    std::string bytes = good;
    bytes[at] = char(bytes[at] ^ 0x41);
    write_bytes(folder / "z", bytes);
    check_right_or_error(ErrorKind::data, [&] {
      return io::read_zip_member(folder / "z", "a", 1 << 20) == std::string(1000, 'q');
    });
  }
  refused(zip({{"a", std::string(5000, 'q'), true, 10}}), "unpacks to 11 or more bytes, expected 10");
  refused(zip({{"a", std::string(50, 'q'), true, 100}}), "unpacks to 50 bytes, expected 100");
  std::string wrong_sum = zip({{"a", "hello"}});
  wrong_sum[31] ^= 1;
  refused(wrong_sum, "checksum differs");
}
