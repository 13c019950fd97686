#include "uncial/core/random.h"

#include <cmath>
#include <set>
#include <vector>

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

TEST_CASE("random: streams are where an independent implementation finds them") {
  CHECK(RandomStream((uint64_t(1) << 40) + 5, Purpose::dropout, 3, (uint64_t(1) << 33) + 7)
            .block((uint64_t(1) << 32) + 9) == Words{0xba909165, 0x56b17dd2, 0xd2d02e7c, 0x4b562ba8});
  CHECK(RandomStream((uint64_t(1) << 40) + 5, Purpose::dropout, (uint64_t(1) << 32) + 3,
                     (uint64_t(1) << 41) + 7)
            .block(9) == Words{0xcf0d047b, 0xf3fe818a, 0xb814b4bb, 0x57f3cc0b});
  CHECK(derived_seed((uint64_t(1) << 63) + 1, 0x123456789abcdef0) == 0x7869e59169552a40);
}

TEST_CASE("random: no two addresses share words, whatever bits of their numbers are set") {
  constexpr uint64_t k32 = uint64_t(1) << 32, k40 = uint64_t(1) << 40;
  // Around each place where a number grows into the next word, and what an exclusive-or with a purpose would
  // undo.
  const std::vector<uint64_t> seeds = {0, 1, k32 - 1, k32, k32 + 1, uint64_t(0x9E3779B9) << 32, ~uint64_t(0)};
  const std::vector<uint64_t> numbers = {0,       1,       k32 - 1, k32,       k32 + 1,
                                         2 * k32, k40 - 1, k40,     k40 + k32, ~uint64_t(0)};
  const std::vector<uint64_t> blocks = {0, 1, k32 - 1, k32, (uint64_t(1) << 48) - 1};
  std::set<Words> all;
  size_t count = 0;
  for (const Purpose purpose :
       {Purpose::generator, Purpose::initial_weights, Purpose::dropout, Purpose::augment})
    for (const uint64_t seed : seeds)
      for (const uint64_t a : numbers)
        for (const uint64_t b : numbers)
          for (const uint64_t block : blocks) {
            all.insert(RandomStream(seed, purpose, a, b).block(block));
            ++count;
          }
  for (const uint64_t seed : seeds)
    for (const uint64_t number : numbers) {
      const uint64_t derived = derived_seed(seed, number);
      all.insert({uint32_t(derived), uint32_t(derived >> 32), 0, 0});
      ++count;
    }
  CHECK(all.size() == count);
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
