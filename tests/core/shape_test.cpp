#include "uncial/core/shape.h"

#include "support/check_op.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("shape: extents are a short vector") {
  Extents e{2, 3};
  e.push_back(4);
  e.insert(0, 9);
  CHECK(e == Extents{9, 2, 3, 4});
  e.insert(4, 5);
  CHECK(e == Extents{9, 2, 3, 4, 5});
  e.erase(1);
  CHECK(e == Extents{9, 3, 4, 5});
  CHECK(e.back() == 5);
  CHECK(join(e, Extents{3}, Extents{}) == "(9, 3, 4, 5)(3)()");
  CHECK_FALSE(Extents{2} == Extents{2, 1});
  CHECK(Extents::filled(2, 7) == Extents{7, 7});
  check_error([] { Extents::filled(9, 1); }, "a tensor has at most 8 axes");
}

TEST_CASE("shape: count") {
  CHECK(count({}) == 1);
  CHECK(count({2, 3, 4}) == 24);
  CHECK(count({2, 0, 4}) == 0);
  CHECK(count({int64_t(1) << 40, int64_t(1) << 40, 0}) == 0);  // a zero wins over an overflow
  check_error([] { count({2, -1}); }, "shape (2, -1) has a negative extent");
  check_error([] { count({int64_t(1) << 40, int64_t(1) << 40}); }, "more elements than memory can address");
  check_error([] { count({int64_t(1) << 61}); }, "more elements than memory can address");
}

TEST_CASE("shape: row-major strides") {
  CHECK(row_major({2, 3, 4}) == Strides{12, 4, 1});
  CHECK(row_major({}) == Strides{});
  CHECK(row_major({2, 0, 4}) == Strides{4, 4, 1});
  CHECK(is_row_major({2, 3}, {3, 1}));
  CHECK_FALSE(is_row_major({2, 3}, {1, 2}));
  CHECK_FALSE(is_row_major({2, 3}, {4, 1}));
  CHECK(is_row_major({1, 3}, {99, 1}));
  CHECK(is_row_major({2, 1}, {1, 99}));
  CHECK(is_row_major({0, 3}, {7, 7}));
}

TEST_CASE("shape: broadcasting") {
  CHECK(broadcast_shape({2, 3}, {3}, "t") == Shape{2, 3});
  CHECK(broadcast_shape({2, 1}, {1, 3}, "t") == Shape{2, 3});
  CHECK(broadcast_shape({}, {4}, "t") == Shape{4});
  CHECK(broadcast_shape({0}, {1}, "t") == Shape{0});
  CHECK(broadcast_shape({4, 1, 5}, {3, 1}, "t") == Shape{4, 3, 5});
  check_error(
      [] {
        broadcast_shape({2, 3}, {2, 4}, "t");
      },
      "t: shapes (2, 3) and (2, 4) do not broadcast: axis -1");
  check_error([] { broadcast_shape({0}, {2}, "t"); }, "do not broadcast");
}

TEST_CASE("shape: axes wrap") {
  CHECK(wrap_axis(-1, 3, "t") == 2);
  CHECK(wrap_axis(0, 3, "t") == 0);
  check_error([] { wrap_axis(3, 3, "t"); }, "t: axis 3 is outside [-3, 3) of a tensor of rank 3");
  check_error([] { wrap_axis(-4, 3, "t"); }, "axis -4");
  check_error([] { wrap_axis(0, 0, "t"); }, "axis 0");
}
