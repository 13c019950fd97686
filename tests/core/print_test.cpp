#include <cmath>
#include <locale>

#include "support/check_op.h"

using namespace uncial;

TEST_CASE("print: shape, dtype and values") {
  CHECK(to_string(tensor<float>({1, 2.5, -3}, Shape{3})) == "float32 (3)\n[1, 2.5, -3]");
  CHECK(to_string(tensor<int64_t>({1, 2, 3, 4}, Shape{2, 2})) == "int64 (2, 2)\n[[1, 2],\n [3, 4]]");
  CHECK(to_string(full({}, 7, DType::int32)) == "int32 ()\n7");
  CHECK(to_string(ones({2}, DType::boolean)) == "bool (2)\n[true, true]");
  CHECK(to_string(tensor<uint8_t>({200})) == "uint8 (1)\n[200]");
  CHECK(to_string(full({1}, 1.5, DType::bfloat16)) == "bfloat16 (1)\n[1.5]");
  CHECK(to_string(zeros({0, 3})) == "float32 (0, 3)\n[]");
  CHECK(to_string(Tensor()) == "undefined tensor");
  CHECK(to_string(tensor<float>({NAN, INFINITY, -INFINITY})) == "float32 (3)\n[nan, inf, -inf]");
  CHECK(join(tensor<float>({1})) == "float32 (1)\n[1]");
}

TEST_CASE("print: inner axes are indented, long axes shortened, views walked") {
  CHECK(to_string(arange(0, 8).reshape({2, 2, 2})) ==
        "int64 (2, 2, 2)\n[[[0, 1],\n  [2, 3]],\n [[4, 5],\n  [6, 7]]]");
  CHECK(to_string(arange(0, 100)) == "int64 (100)\n[0, 1, 2, ..., 97, 98, 99]");
  CHECK(to_string(arange(0, 8)) == "int64 (8)\n[0, 1, 2, 3, 4, 5, 6, 7]");
  CHECK(to_string(arange(0, 9)) == "int64 (9)\n[0, 1, 2, ..., 6, 7, 8]");
  CHECK(to_string(arange(0, 4).reshape({2, 2}).transpose()) == "int64 (2, 2)\n[[0, 2],\n [1, 3]]");
}

TEST_CASE("print: the host's locale stays out") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  const std::string text = to_string(tensor<float>({2.5}));
  std::locale::global(before);
  CHECK(text == "float32 (1)\n[2.5]");
}
