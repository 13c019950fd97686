#include "uncial/io/safetensors.h"

#include "support/errors.h"
#include "support/integers.h"
#include "support/temp_folder.h"

using namespace uncial;
using namespace uncial::test;

namespace {

std::string file_of(const std::string& header, const std::string& payload) {
  return little64(header.size()) + header + payload;
}

/// A header of one tensor "a": U8 of shape [4] over bytes 0 to 4, with some part replaced.
std::string one(const std::string& shape = "[4]", const std::string& offsets = "[0,4]",
                const std::string& dtype = "\"U8\"") {
  return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

io::TensorFile loaded_from_memory(const std::string& bytes) {
  return io::load_safetensors(std::as_bytes(std::span(bytes)), "in/memory");
}

template <class... Parts>
void refused(const std::string& bytes, Parts... parts) {
  const TempFolder folder;
  write_bytes(folder / "f", bytes);
  check_error(
      ErrorKind::data, [&] { io::load_safetensors(folder / "f"); }, "/f", parts...);
  check_error(
      ErrorKind::data, [&] { loaded_from_memory(bytes); }, "in/memory", parts...);
}

io::TensorFile loaded(const std::string& bytes) {
  const TempFolder folder;
  write_bytes(folder / "f", bytes);
  return io::load_safetensors(folder / "f");
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::string_view(static_cast<const char*>(a.view().data), size_t(a.bytes())) ==
             std::string_view(static_cast<const char*>(b.view().data), size_t(b.bytes()));
}

}  // namespace

TEST_CASE("safetensors come back as they were", "[io]") {
  const TempFolder folder;
  io::TensorFile file;
  file.metadata = {{"key", "value \"quoted\" \xc3\xa4\n"}, {"", ""}};
  file.tensors = {{"z", tensor<float>({1.5f, -0.0f, INFINITY, NAN})},
                  {"a/../b \xf0\x9f\x99\x82", tensor<double>({1, 2, 3, 4, 5, 6}, Shape{2, 3})},
                  {"", tensor<int64_t>({INT64_MIN})},
                  {"i32", tensor<int32_t>({-1, 2})},
                  {"u8", tensor<uint8_t>({1, 2, 255})},
                  {"bool", tensor<bool>({true, false, true})},
                  {"bf16", tensor<bfloat16>({bfloat16(1.0f), bfloat16(-3.0f)})},
                  {"scalar", tensor<float>({7}, Shape{})},
                  {"empty", zeros({0, 3})}};
  io::save_safetensors(folder / "f", file);
  const io::TensorFile back = io::load_safetensors(folder / "f");
  CHECK(back.metadata == file.metadata);
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    CHECK(back.tensors[i].first == file.tensors[i].first);
    CHECK(same_bytes(back.tensors[i].second, file.tensors[i].second));
  }
  const io::TensorFile again = loaded_from_memory(read_bytes(folder / "f"));
  CHECK(again.metadata == file.metadata);
  REQUIRE(again.tensors.size() == file.tensors.size());
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    CHECK(again.tensors[i].first == file.tensors[i].first);
    CHECK(same_bytes(again.tensors[i].second, file.tensors[i].second));
  }
  CHECK(folder.names() == std::vector<std::string>{"f"});
  CHECK(back.contains("bool"));
  CHECK_FALSE(back.contains("boo"));
  check_error(
      ErrorKind::data, [&] { back.at("boo"); }, "'boo'", "bf16");
}

TEST_CASE("safetensors are written as the format says", "[io]") {
  const TempFolder folder;
  io::save_safetensors(folder / "f",
                       {{{"w", tensor<float>({1, 2})}, {"b", tensor<uint8_t>({7})}}, {{"k", "v"}}});
  const std::string header =
      R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(read_bytes(folder / "f") == file_of(padded, std::string("\0\0\x80\x3f\0\0\0\x40\x07", 9)));
  io::save_safetensors(folder / "none", {});
  CHECK(io::load_safetensors(folder / "none").tensors.empty());
}

TEST_CASE("tensors that cannot be named are not written", "[io]") {
  const TempFolder folder;
  const Tensor t = zeros({1});
  const auto unwritable = [&](const io::TensorFile& file, const char* part) {
    check_error(
        ErrorKind::usage, [&] { io::save_safetensors(folder / "f", file); }, part);
  };
  unwritable({{{"a", t}, {"a", t}}, {}}, "two tensors are called 'a'");
  unwritable({{{std::string("a\0b", 3), t}}, {}}, "NUL");
  unwritable({{{std::string(5000, 'n'), t}}, {}}, "at most 4096");
  unwritable({{{"__metadata__", t}}, {}}, "__metadata__");
  unwritable({{{"\xff", t}}, {}}, "UTF-8");
  CHECK(folder.names().empty());
}

TEST_CASE("safetensors header lengths are checked before anything is allocated", "[io]") {
  refused("", "0 bytes, expected at least 8");
  refused("1234567", "7 bytes");
  refused(little64(0), "header length 0");
  refused(little64(3) + "{}", "header length 3", "1 to 2");
  refused(little64(100'000'001) + "{}", "100000001");
  refused(little64(~uint64_t(0)) + "{}", "18446744073709551615");
  refused(std::string("\0\0\0\0\0\0\0\2{}", 10), "other byte order");
  CHECK(loaded(file_of("{}", "")).tensors.empty());
  CHECK(loaded(file_of(one() + "  ", "abcd")).tensors.size() == 1);
}

TEST_CASE("safetensors headers must be the one right JSON", "[io]") {
  refused(file_of("[]", ""), "@byte 8", "expected '{'");
  refused(file_of(" {}", ""), "@byte 8");
  refused(file_of("{} x", ""), "@byte 11", "expected '}'");
  refused(file_of("{}\n", ""), "@byte 10");
  refused(file_of("{}{}", ""), "no valid JSON");
  refused(file_of("{\"a\":}", ""), "no valid JSON", "@byte");
  refused(file_of("{\"\xff\":1}", ""), "no valid JSON");
  refused(file_of("{\"\\ud800\":1}", ""), "no valid JSON");
  refused(file_of("{\"a\":" + std::string(100'000, '[') + "}", ""), "'a'", "unexpected an array");
  refused(file_of("{\"a\":" + std::string(100'000, '{') + "}", ""), "");
  refused(file_of("{\"a\":1}", ""), "'a'", "unexpected a number");
  refused(file_of("{\"a\":null}", ""), "unexpected null");
  refused(file_of("{\"a\":{}}", ""), "needs dtype, shape and data_offsets");
  refused(file_of("{\"a\":{\"dtype\":[]}}", ""), "unexpected an array");
  refused(file_of("{\"a\":{\"x\":1}}", ""), "unknown key 'x'");
  refused(file_of("{\"a\\u0000b\":1}", ""), "NUL");
  refused(file_of("{\"" + std::string(1 << 20, 'n') + "\":1}", ""), "1048576 bytes, expected at most 4096");
}

TEST_CASE("safetensors keys must be unique", "[io]") {
  const std::string a = R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  refused(file_of("{" + a + "," + a + "}", "xx"), "'a'", "twice");
  refused(file_of(R"({"a":{"dtype":"U8","dtype":"U8"}})", ""), "'a'", "dtype twice");
  refused(file_of(R"({"a":{"shape":[1],"shape":[1]}})", ""), "shape twice");
  refused(file_of(R"({"__metadata__":{},"__metadata__":{}})", ""), "__metadata__", "twice");
  refused(file_of(R"({"__metadata__":{"k":"1","k":"2"}})", ""), "'k'", "twice");
  refused(file_of(R"({"__metadata__":{"k":1}})", ""), "'k'", "expected texts");
  refused(file_of(R"({"__metadata__":{"k":{}}})", ""), "'k'", "expected texts");
  refused(file_of(R"({"__metadata__":"k"})", ""), "unexpected a text");
}

TEST_CASE("safetensors offsets must cover the file once, in order", "[io]") {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + b + "}}";
  };
  CHECK(loaded(file_of(two("[0,2]", "[2,4]"), "abcd")).at("b").data<uint8_t>()[1] == 'd');
  refused(file_of(two("[0,2]", "[1,3]"), "abc"), "'b'", "overlap", "'a'");
  refused(file_of(two("[0,2]", "[0,2]"), "ab"), "'b'", "overlap");
  refused(file_of(two("[0,2]", "[3,5]"), "abcde"), "'b'", "hole after 'a'");
  refused(file_of(two("[2,4]", "[0,2]"), "abcd"), "'a'", "hole after the start");
  refused(file_of(two("[2,0]", "[2,4]"), "abcd"), "'a'", "reversed");
  refused(file_of(two("[0,2]", "[2,4]"), "abc"), "'b'", "pass the end");
  refused(file_of(two("[0,2]", "[2,4]"), "abcde"), "1 bytes follow 'b'");
  refused(file_of("{}", "x"), "1 bytes follow the start");

  const auto with_empty = [](const std::string& at) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"e":{"dtype":"F32","shape":[0],"data_offsets":)" +
           at + "}}";
  };
  CHECK(loaded(file_of(with_empty("[2,2]"), "ab")).at("e").size() == 0);
  refused(file_of(with_empty("[1,1]"), "ab"), "'e'", "overlap", "'a'");
}

TEST_CASE("safetensors shapes must fit their bytes", "[io]") {
  refused(file_of(one("[3]"), "abcd"), "4 bytes, expected 3");
  refused(file_of(one("[4]", "[0,4]", "\"F32\""), "abcd"), "4 bytes, expected 16");
  refused(file_of(one("[4194305,4194305,211106198978564]"), "abcd"), "more than 2^63");
  refused(file_of(one("[0,9223372036854775807,9223372036854775807]", "[0,0]"), ""), "more than 2^63");
  refused(file_of(one("[1,1,1,1,1,1,1,1,4]"), "abcd"), "9 extents, expected at most 8");
  refused(file_of(one("[4]", "[0,4,4]"), "abcd"), "3 numbers");
  refused(file_of(one("[-4]"), "abcd"), "-4 in shape");
  refused(file_of(one("[-0]"), "abcd"), "in shape");
  refused(file_of(one("[4.0]"), "abcd"), "4.0 in shape");
  refused(file_of(one("[4e0]"), "abcd"), "4e0 in shape");
  refused(file_of(one("[9223372036854775808]"), "abcd"), "too large");
  refused(file_of(one("[99999999999999999999]"), "abcd"), "in shape");
  refused(file_of(one("[04]"), "abcd"), "no valid JSON");
  refused(file_of(one("[\"4\"]"), "abcd"), "unexpected a text");
  refused(file_of(one("[4]", "[0,1e3]"), "abcd"), "1e3 in data_offsets");
  refused(file_of(one("[4]", "[0,4]", "\"F8\""), "abcd"), "dtype F8", "F32, F64, BF16");
  refused(file_of(one("[4]", "[0,4]", "\"u8\""), "abcd"), "dtype u8");
  refused(file_of(one("[4]", "[0,4]", "\"BOOL\""), std::string("\0\1\2\0", 4)),
          "element 2 is 2, expected 0 or 1");
}

TEST_CASE("many safetensors in a small file end at a limit", "[io]") {
  std::string header = "{";
  for (int i = 0; i < 200'000; ++i) {
    if (i > 0) header += ",";
    header += join('"', i, R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  }
  refused(file_of(header + "}", ""), "more than 100000 tensors");
}

TEST_CASE("damaged safetensors files never do worse than an Error", "[io]") {
  const TempFolder folder;
  const std::string good = file_of(one(), "abcd");
  for (size_t at = 0; at < good.size(); ++at)
    for (const int flip : {1, 0x20, 0x80}) {
      std::string bytes = good;
      bytes[at] = char(bytes[at] ^ flip);
      write_bytes(folder / "f", bytes);
      check_right_or_error(ErrorKind::data,
                           [&] { return io::load_safetensors(folder / "f").tensors.size() == 1; });
    }
  for (size_t length = 0; length < good.size(); ++length) refused(good.substr(0, length));
  check_error(
      ErrorKind::io, [&] { io::load_safetensors(folder / "none"); }, "none");
  check_error(
      ErrorKind::io, [&] { io::load_safetensors(folder.path()); }, "directory");
}
