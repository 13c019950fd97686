#include <cmath>
#include <limits>

#include "support/check_op.h"
#include "uncial/core/dtype.h"
#include "uncial/core/precision.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("dtype: sizes and names") {
  CHECK(size_of(DType::float32) == 4);
  CHECK(size_of(DType::float64) == 8);
  CHECK(size_of(DType::int64) == 8);
  CHECK(size_of(DType::int32) == 4);
  CHECK(size_of(DType::uint8) == 1);
  CHECK(size_of(DType::boolean) == 1);
  CHECK(size_of(DType::bfloat16) == 2);
  CHECK(name_of(DType::bfloat16) == "bfloat16");
  CHECK(join(DType::boolean) == "bool");
}

TEST_CASE("dtype: bfloat16 rounds to nearest, ties to even") {
  CHECK(float(bfloat16(1.0f)) == 1.0f);
  CHECK(float(bfloat16(1.0f + 0x1p-8f)) == 1.0f);                // a tie: down to the even mantissa
  CHECK(float(bfloat16(1.0f + 3 * 0x1p-8f)) == 1.0f + 0x1p-6f);  // a tie: up to the even mantissa
  CHECK(float(bfloat16(1.0f + 0x1.002p-8f)) == 1.0f + 0x1p-7f);
  CHECK(float(bfloat16(-2.5f)) == -2.5f);
  CHECK(float(bfloat16(std::numeric_limits<float>::max())) == std::numeric_limits<float>::infinity());
  CHECK(std::isinf(float(bfloat16(-std::numeric_limits<float>::infinity()))));
  CHECK(std::isnan(float(bfloat16(std::nanf("")))));
  CHECK(std::isnan(float(bfloat16(std::bit_cast<float>(0x7f800001u)))));  // its payload lies below the cut
}

TEST_CASE("dtype: dispatch picks the type or names what it cannot do") {
  CHECK(dispatch(all_types, DType::int32, "probe", []<class T>() { return sizeof(T); }) == 4);
  check_error([] { dispatch(floats, DType::int32, "probe", []<class T>() {}); },
              "probe: does not support int32");
  check_error([] { dispatch(floats, DType::uint8, "probe", []<class T>() { return sizeof(T); }); }, "probe");
}

TEST_CASE("precision: has a name for each kind, and reads it") {
  CHECK(join(Precision::float32) == "float32");
  for (const Precision precision : {Precision::float32, Precision::bf16, Precision::fp16, Precision::tf32})
    CHECK(precision_of(name_of(precision)) == precision);
  check_error(
      ErrorKind::usage, [] { precision_of("fp8"); }, "got 'fp8', expected float32, bf16, fp16 or tf32");
}
