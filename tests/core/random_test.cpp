#include "uncial/core/random.h"

#include <cmath>
#include <set>

#include "support/check_op.h"

using namespace uncial;
using namespace uncial::test;

using Words = std::array<uint32_t, 4>;

TEST_CASE("random: Philox4x32-10 gives the published vectors") {
  // kat_vectors of Random123 1.14 (Salmon et al.), lines "philox4x32 10".
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random: every coordinate of a stream matters") {
  const auto first = [](uint64_t seed, Purpose purpose, uint64_t a, uint64_t b) {
    return RandomStream(seed, purpose, a, b).block(0);
  };
  const std::set<Words> all = {first(1, Purpose::shuffle, 0, 0),
                               first(2, Purpose::shuffle, 0, 0),
                               first(uint64_t(2) << 32 | 1, Purpose::shuffle, 0, 0),
                               first(1, Purpose::dropout, 0, 0),
                               first(1, Purpose::shuffle, 1, 0),
                               first(1, Purpose::shuffle, uint64_t(1) << 32, 0),
                               first(1, Purpose::shuffle, 0, 1),
                               RandomStream(1, Purpose::shuffle).block(1),
                               RandomStream(1, Purpose::shuffle).block(uint64_t(1) << 32)};
  CHECK(all.size() == 9);
}

TEST_CASE("random: a generator is its seed and position") {
  Generator a(5), b(5);
  for (int i = 0; i < 10; ++i) CHECK(a() == b());
  const uint64_t position = a.position();
  const double next = a.normal();
  a.seek(position);
  CHECK(a.normal() == next);
}

TEST_CASE("random: distributions") {
  Generator g(1);
  double sum = 0, squares = 0, fourth = 0, uniform = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double u = g.uniform(), n = g.normal();
    REQUIRE((u >= 0 && u < 1));
    REQUIRE(std::isfinite(n));
    uniform += u;
    sum += n;
    squares += n * n;
    fourth += n * n * n * n;
  }
  // Five standard errors each.
  CHECK(std::abs(uniform / kCount - 0.5) < 5 * 0.2887 / std::sqrt(kCount));
  CHECK(std::abs(sum / kCount) < 5 / std::sqrt(kCount));
  CHECK(std::abs(squares / kCount - 1) < 5 * std::sqrt(2.0 / kCount));
  CHECK(std::abs(fourth / kCount - 3) < 5 * std::sqrt(96.0 / kCount));
}

TEST_CASE("random: below is in range and even") {
  Generator g(3);
  int seen[6] = {};
  for (int i = 0; i < 60000; ++i) ++seen[g.below(6)];
  for (int s : seen)
    CHECK(std::abs(s - 10000) < 5 * 92);  // standard deviation sqrt(60000 * 1/6 * 5/6) = 91.3
  CHECK(g.below(1) == 0);
}

TEST_CASE("random: the ends of the unit intervals") {
  CHECK(unit_float(0) == 0);
  CHECK(unit_float(~0u) == 1 - 0x1p-24f);
  CHECK(unit_double(0, 0) == 0);
  CHECK(unit_double(~0u, ~0u) == 1 - 0x1p-53);
}

TEST_CASE("random: tensors are a function of shape and seed") {
  CHECK(same_bits(randn({3, 4}, 7), randn({3, 4}, 7)));
  CHECK_FALSE(same_bits(randn({3, 4}, 7), randn({3, 4}, 8)));
  CHECK_FALSE(same_bits(randn({4}, 7), rand({4}, 7)));
  check_close(randn({50}, 7), randn({50}, 7, DType::float64),
              1e-7);  // the float32 ones are the float64 ones rounded
  const Tensor uniform = rand({1000}, 1, -2, 3, DType::float64);
  for (double v : uniform.span<double>()) REQUIRE((v >= -2 && v < 3));
}
