#include "uncial/data/loader.h"

#include <algorithm>
#include <numeric>
#include <thread>

#include "support/errors.h"
#include "uncial/core/random.h"

using namespace uncial;

namespace {

data::Dataset numbered(int64_t n) {
  Tensor images = empty({n, 1, 1, 1}, DType::uint8), labels = empty({n}, DType::uint8);
  for (int64_t i = 0; i < n; ++i) {
    images.data<uint8_t>()[i] = uint8_t(i);
    labels.data<uint8_t>()[i] = uint8_t(i % 5);
  }
  return data::Dataset("numbered", images, labels, {"0", "1", "2", "3", "4"});
}

std::vector<data::Batch> all(data::Loader loader) {
  std::vector<data::Batch> out;
  for (const data::Batch& batch : loader) out.push_back(batch);
  return out;
}

std::vector<int64_t> indices(const std::vector<data::Batch>& batches) {
  std::vector<int64_t> out;
  for (const auto& b : batches)
    out.insert(out.end(), b.indices.span<int64_t>().begin(), b.indices.span<int64_t>().end());
  return out;
}

}  // namespace

TEST_CASE("a loader goes through the data once", "[data]") {
  for (const int prefetch : {0, 1, 2, 50}) {
    const auto batches = all({numbered(10), {.batch = 4, .prefetch = prefetch}});
    REQUIRE(batches.size() == 3);
    CHECK(batches[2].images.shape() == Shape{2, 1, 1, 1});
    CHECK(batches[1].images.data<float>()[3] == 7.0f / 255.0f);
    CHECK(batches[1].labels.data<int64_t>()[3] == 2);
    const auto order = indices(batches);
    for (int64_t i = 0; i < 10; ++i) CHECK(order[size_t(i)] == i);
    // The batches are memory of their own.
    CHECK(batches[0].images.data<float>() != batches[1].images.data<float>());
  }
  CHECK(all({numbered(10), {.batch = 4, .drop_last = true}}).size() == 2);
  CHECK(all({numbered(3), {.batch = 4, .drop_last = true}}).empty());
  CHECK(all({numbered(9), {.batch = 4}}).back().images.size(0) == 1);
}

TEST_CASE("shuffling is a permutation that depends on seed and epoch alone", "[data]") {
  auto order = data::shuffled_order(1000, 7, 3);
  CHECK(order == data::shuffled_order(1000, 7, 3));
  CHECK(order != data::shuffled_order(1000, 7, 4));
  CHECK(order != data::shuffled_order(1000, 8, 3));
  // Computed by an independent Philox4x32-10 and Fisher-Yates: the same order on every machine, for ever.
  CHECK(data::shuffled_order(8, 1, 2) == std::vector<int64_t>{2, 6, 0, 5, 4, 3, 1, 7});
  CHECK(data::shuffled_order(0, 1, 1).empty());

  std::vector<int64_t> slowly(30'000);  // of more numbers than one thread makes
  std::iota(slowly.begin(), slowly.end(), int64_t(0));
  Generator random(3, Purpose::shuffle, 4);
  for (size_t i = slowly.size(); i > 1; --i) std::swap(slowly[i - 1], slowly[size_t(random.below(i))]);
  CHECK(data::shuffled_order(30'000, 3, 4) == slowly);
  std::sort(order.begin(), order.end());
  std::vector<int64_t> expected(1000);
  std::iota(expected.begin(), expected.end(), int64_t(0));
  CHECK(order == expected);

  std::vector<int> first_places(6);
  for (int64_t epoch = 0; epoch < 6000; ++epoch) ++first_places[size_t(data::shuffled_order(6, 1, epoch)[0])];
  for (const int count : first_places) CHECK(std::abs(count - 1000) < 145);  // five deviations

  const data::LoaderOptions options{.batch = 3, .shuffle = true, .seed = 7, .epoch = 2};
  CHECK(indices(all({numbered(10), options})) == data::shuffled_order(10, 7, 2));
}

TEST_CASE("a loader that starts inside an epoch gives the rest of it", "[data]") {
  data::LoaderOptions options{.batch = 3, .shuffle = true, .seed = 7};
  const auto whole = all({numbered(10), options});
  options.first_batch = 2;
  const auto rest = all({numbered(10), options});
  REQUIRE(rest.size() == 2);
  for (size_t b = 0; b < 2; ++b) CHECK(indices({rest[b]}) == indices({whole[b + 2]}));
  options.first_batch = 4;
  CHECK(all({numbered(10), options}).empty());
}

TEST_CASE("the transform sees each batch with its indices, seed and epoch", "[data]") {
  const auto mark = [](const Tensor& images, const std::vector<int64_t>& sources, uint64_t seed,
                       int64_t epoch) {
    for (size_t i = 0; i < sources.size(); ++i)
      images.data<float>()[i] = float(sources[i]) * 100 + float(seed) * 10 + float(epoch);
  };
  for (const int prefetch : {0, 2}) {
    const auto batches = all({numbered(10).subset({9, 5}),
                              {.batch = 4, .seed = 3, .epoch = 4, .transform = mark, .prefetch = prefetch}});
    REQUIRE(batches.size() == 1);
    CHECK(batches[0].images.data<float>()[0] == 934);
    CHECK(batches[0].images.data<float>()[1] == 534);
  }
}

TEST_CASE("what a transform throws arrives where the batch is asked for", "[data]") {
  for (const int prefetch : {0, 2}) {
    int calls = 0;
    const auto third_fails = [&](const Tensor&, const std::vector<int64_t>&, uint64_t, int64_t) {
      if (++calls == 3) fail(ErrorKind::data, "bad sample");
    };
    data::Loader loader(numbered(10), {.batch = 2, .transform = third_fails, .prefetch = prefetch});
    data::Batch batch;
    CHECK(loader.next(batch));
    CHECK(loader.next(batch));
    test::check_error(
        ErrorKind::data, [&] { loader.next(batch); }, "bad sample");
  }
}

TEST_CASE("a loader may be left early, moved, and used by two at once", "[data]") {
  for (int i = 0; i < 20; ++i) {
    data::Loader loader(numbered(100), {.batch = 1, .prefetch = 3});
    data::Batch batch;
    if (i % 2) loader.next(batch);
    data::Loader moved = std::move(loader);
    CHECK(moved.next(batch));
    CHECK(batch.indices.data<int64_t>()[0] == i % 2);
    moved = data::Loader(numbered(5), {.batch = 5});
    CHECK(moved.batches() == 1);
  }
  data::Loader shared(numbered(200), {.batch = 1, .prefetch = 4});
  std::vector<int64_t> seen[2];
  {
    std::vector<std::jthread> threads;
    for (auto& mine : seen)
      threads.emplace_back([&] {
        for (data::Batch batch; shared.next(batch);) mine.push_back(batch.indices.data<int64_t>()[0]);
      });
  }
  seen[0].insert(seen[0].end(), seen[1].begin(), seen[1].end());
  std::sort(seen[0].begin(), seen[0].end());
  REQUIRE(seen[0].size() == 200);
  CHECK((seen[0].front() == 0 && seen[0].back() == 199));
}

TEST_CASE("loader options out of range are usage errors", "[data]") {
  const auto unusable = [](const data::LoaderOptions& options, const char* part) {
    test::check_error(
        ErrorKind::usage, [&] { data::Loader(numbered(10), options); }, part);
  };
  unusable({.batch = 0}, "batch must be >= 1");
  unusable({.batch = -5}, "batch must be >= 1");
  unusable({.prefetch = -1}, "prefetch");
  unusable({.epoch = -1}, "epoch");
  unusable({.batch = 4, .first_batch = 4}, "first_batch must be in 0..3, got 4");
  unusable({.first_batch = -1}, "first_batch");
}
