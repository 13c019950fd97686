#include "uncial/data/dataset.h"

#include <algorithm>

#include "support/errors.h"

using namespace uncial;

namespace {

/// n images of 1 x 2 pixels (i, i + 1), with the given labels.
data::Dataset numbered(const std::vector<uint8_t>& labels, size_t classes = 3) {
  const auto n = int64_t(labels.size());
  Tensor images = empty({n, 1, 1, 2}, DType::uint8);
  for (int64_t i = 0; i < n; ++i) {
    images.data<uint8_t>()[2 * i] = uint8_t(i);
    images.data<uint8_t>()[2 * i + 1] = uint8_t(i + 1);
  }
  return data::Dataset("numbered", images, from_values<uint8_t>(labels, {n}),
                       std::vector<std::string>(classes, "c"));
}

std::vector<int64_t> sources(const data::Dataset& set) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < set.size(); ++i) out.push_back(set.source_index(i));
  return out;
}

}  // namespace

TEST_CASE("a data set gives its samples", "[data]") {
  const data::Dataset set = numbered({0, 1, 2, 1});
  CHECK(set.size() == 4);
  CHECK(set.sample_shape() == Shape{1, 1, 2});
  CHECK(set.class_counts() == std::vector<int64_t>{1, 2, 1});
  const auto [images, labels] = set.range(1, 2);
  CHECK(images.shape() == Shape{2, 1, 1, 2});
  CHECK(images.dtype() == DType::float32);
  CHECK(images.data<float>()[3] == 3.0f / 255.0f);
  CHECK(labels.data<int64_t>()[1] == 2);

  const data::Dataset part = set.subset({3, 0, 3});
  CHECK(sources(part) == std::vector<int64_t>{3, 0, 3});
  CHECK(part.pixels(0)[0] == 3);
  CHECK(sources(part.subset({1})) == std::vector<int64_t>{0});
  CHECK(sources(part.take(2)) == std::vector<int64_t>{3, 0});
  CHECK(set.range(4, 0).first.size() == 0);
}

TEST_CASE("positions outside a data set are usage errors", "[data]") {
  const data::Dataset set = numbered({0, 1, 2, 1});
  for (const int64_t bad : {int64_t(-1), int64_t(4), INT64_MIN, INT64_MAX}) {
    test::check_error(
        ErrorKind::usage, [&] { set.pixels(bad); }, "numbered");
    test::check_error(
        ErrorKind::usage, [&] { set.label(bad); }, "numbered");
    test::check_error(
        ErrorKind::usage, [&] { set.subset({bad}); }, "numbered");
  }
  test::check_error(
      ErrorKind::usage, [&] { set.range(3, 2); }, "range(3, 2)");
  test::check_error(
      ErrorKind::usage, [&] { set.range(INT64_MAX, 2); }, "range");
  test::check_error(
      ErrorKind::usage, [&] { set.take(5); }, "take(5) of 4");
  test::check_error(
      ErrorKind::usage, [] { data::Dataset().sample_shape(); }, "empty");
}

TEST_CASE("a split is stratified, exact and reproducible", "[data]") {
  std::vector<uint8_t> labels;
  for (int i = 0; i < 200; ++i) labels.push_back(uint8_t(i % 7 == 0 ? 2 : i % 3 == 0 ? 1 : 0));
  const data::Dataset set = numbered(labels);
  const auto counts = set.class_counts();
  for (const int64_t wanted : {1, 10, 33, 100, 199}) {
    const auto [rest, validation] = set.split({.validation = wanted, .seed = 5});
    CHECK(validation.size() == wanted);
    CHECK(rest.size() == 200 - wanted);
    for (size_t c = 0; c < 3; ++c)
      CHECK(std::abs(double(validation.class_counts()[c]) - double(counts[c] * wanted) / 200) < 1);
    auto all = sources(rest);
    CHECK(std::is_sorted(all.begin(), all.end()));
    const auto chosen = sources(validation);
    CHECK(std::is_sorted(chosen.begin(), chosen.end()));
    all.insert(all.end(), chosen.begin(), chosen.end());
    std::sort(all.begin(), all.end());
    CHECK(all == sources(set));
  }
  const auto pick = [&](uint64_t seed) {
    return sources(set.split({.validation = 50, .seed = seed}).second);
  };
  CHECK(pick(1) == pick(1));
  CHECK(pick(1) != pick(2));
  for (const int64_t bad : {-1, 0, 200, 201})
    test::check_error(
        ErrorKind::usage, [&] { set.split({.validation = bad}); }, "0 < validation < 200");
}

TEST_CASE("every sample of a class is equally likely to be chosen by a split", "[data]") {
  const data::Dataset set = numbered(std::vector<uint8_t>(20, 0));
  std::vector<int> hits(20);
  for (uint64_t seed = 0; seed < 2000; ++seed)
    for (const int64_t i : sources(set.split({.validation = 5, .seed = seed}).second)) ++hits[size_t(i)];
  // Binomial with mean 500 and deviation 19.4: five deviations.
  for (const int h : hits) CHECK(std::abs(h - 500) < 97);
}

TEST_CASE("three parts cover the set once, each stratified", "[data]") {
  std::vector<uint8_t> labels;
  for (int i = 0; i < 120; ++i) labels.push_back(uint8_t(i % 3));
  const data::Dataset set = numbered(labels);
  const data::ThreeParts parts = set.split_three({.validation = 30, .test = 15, .seed = 3});
  CHECK(parts.train.class_counts() == std::vector<int64_t>{25, 25, 25});
  CHECK(parts.validation.class_counts() == std::vector<int64_t>{10, 10, 10});
  CHECK(parts.test.class_counts() == std::vector<int64_t>{5, 5, 5});
  std::vector<int64_t> all;
  for (const data::Dataset& part : {parts.train, parts.validation, parts.test})
    for (const int64_t i : sources(part)) all.push_back(i);
  std::sort(all.begin(), all.end());
  CHECK(all == sources(set));
  CHECK(sources(set.split_three({.validation = 30, .test = 15, .seed = 4}).test) != sources(parts.test));
  CHECK_THROWS_AS(set.split_three({.validation = 60, .test = 60}), Error);
  CHECK_THROWS_AS(set.split_three({.validation = INT64_MAX, .test = INT64_MAX}), Error);
  CHECK_THROWS_AS(set.split_three({.validation = 0, .test = 5}), Error);
}

TEST_CASE("the fingerprint names pixels, labels and choice", "[data]") {
  const data::Dataset set = numbered({0, 1, 2, 1});
  CHECK(set.fingerprint() == numbered({0, 1, 2, 1}).fingerprint());
  CHECK(set.fingerprint() != numbered({0, 1, 2, 2}).fingerprint());
  CHECK(set.fingerprint() != set.take(3).fingerprint());
  CHECK(set.fingerprint() != set.subset({1, 0, 2, 3}).fingerprint());
}
