#include "uncial/vision/augment.h"

#include <cmath>

#include "vision/slow_augment.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::vision;

namespace {

std::vector<float> values_of(const Tensor& x) { return {x.span<float>().begin(), x.span<float>().end()}; }

std::vector<int64_t> iota(int64_t size) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(i);
  return values;
}

}  // namespace

TEST_CASE("Normalise subtracts and divides", "[vision]") {
  const Tensor x = tensor<float>({0, 0.25f, 0.5f, 1}, Shape{2, 1, 1, 2});
  apply_everywhere(Normalise({.mean = 0.5, .deviation = 0.25}), x, {0, 1}, {});
  CHECK(values_of(x) == std::vector<float>{-2, -1, 0, 2});
  check_error(
      ErrorKind::usage, [] { Normalise({.deviation = 0}); }, "Normalise: deviation");
  check_error(
      ErrorKind::usage, [] { Normalise({.mean = INFINITY}); }, "Normalise: mean must be finite");
}

TEST_CASE("RandomNoise has the deviation asked for and is keyed by the sample", "[vision]") {
  const Tensor x = zeros({40, 3, 17, 13});  // 663 values a sample: the last block of words is cut short
  apply_everywhere(RandomNoise(0.5), x, iota(40), {.seed = 4, .epoch = 7});
  double sum = 0, squares = 0;
  for (float v : x.span<float>()) sum += v, squares += double(v) * v;
  const double n = double(x.size());
  CHECK(std::abs(sum / n) < 6 * 0.5 / std::sqrt(n));
  CHECK(std::sqrt(squares / n) == Approx(0.5).epsilon(0.02));
  const Tensor one = zeros({1, 3, 17, 13}), other = zeros({1, 3, 17, 13});
  RandomNoise(0.5)->apply(one, {23}, {.seed = 4, .epoch = 7});
  CHECK(std::equal(one.span<float>().begin(), one.span<float>().end(), x.data<float>() + 23 * 663));
  RandomNoise(0.5)->apply(other, {23}, {.seed = 4, .epoch = 8});
  CHECK(values_of(other) != values_of(one));
  check_error(
      ErrorKind::usage, [] { RandomNoise(-0.1); }, "RandomNoise: deviation");
}

TEST_CASE("RandomErase clears one box of an area within the range", "[vision]") {
  constexpr int64_t kSamples = 400, kSide = 40;
  const Tensor x = ones({kSamples, 2, kSide, kSide});
  apply_everywhere(RandomErase({.probability = 0.75, .smallest = 0.1, .largest = 0.3, .value = -1}), x,
                   iota(kSamples), {.seed = 6});
  int64_t erased = 0, touching_left = 0, touching_right = 0;
  for (int64_t n = 0; n < kSamples; ++n) {
    const float* first = x.data<float>() + n * 2 * kSide * kSide;
    CHECK(std::equal(first, first + kSide * kSide, first + kSide * kSide));  // every channel alike
    int64_t top = kSide, left = kSide, bottom = -1, right = -1, count = 0;
    for (int64_t i = 0; i < kSide * kSide; ++i) {
      if (first[i] == 1) continue;
      CHECK(first[i] == -1);
      ++count;
      top = std::min(top, i / kSide), bottom = std::max(bottom, i / kSide);
      left = std::min(left, i % kSide), right = std::max(right, i % kSide);
    }
    if (count == 0) continue;
    ++erased;
    const int64_t height = bottom - top + 1, width = right - left + 1;
    CHECK(count == height * width);  // one solid box
    CHECK(count > 0.1 * kSide * kSide * 0.9);
    CHECK(count < 0.3 * kSide * kSide * 1.1);
    const double ratio = double(height) / double(width);
    CHECK(ratio > 0.27);
    CHECK(ratio < 1 / 0.27);
    touching_left += left == 0, touching_right += right == kSide - 1;
  }
  CHECK(std::abs(double(erased) / kSamples - 0.75) < 0.13);  // six standard errors
  CHECK(touching_left > 0);
  CHECK(touching_right > 0);
}

TEST_CASE("RandomErase: extremes and errors", "[vision]") {
  const Tensor x = ones({5, 1, 6, 9});
  RandomErase({.probability = 0})->apply(x, iota(5), {});
  CHECK(values_of(x) == values_of(ones({5, 1, 6, 9})));
  RandomErase({.probability = 1, .smallest = 1, .largest = 1})->apply(x, iota(5), {});
  CHECK(values_of(x) == values_of(zeros({5, 1, 6, 9})));
  for (const Shape& shape : {Shape{3, 1, 1, 1}, Shape{3, 1, 1, 30}, Shape{3, 1, 30, 1}, Shape{0, 1, 4, 4}})
    apply_everywhere(RandomErase({.probability = 1}), ones(shape), iota(shape[0]), {});
  check_error(
      ErrorKind::usage, [] { RandomErase({.probability = 1.5}); }, "probability must be in [0, 1], got 1.5");
  check_error(
      ErrorKind::usage, [] { RandomErase({.smallest = 0.3, .largest = 0.2}); },
      "largest must be in [0.3, 1], got 0.2");
}

TEST_CASE("Compose applies its parts in order", "[vision]") {
  const Tensor x = ones({1, 1, 1, 2});
  Compose({Normalise({.mean = 1, .deviation = 1}), Normalise({.mean = -3, .deviation = 2})})
      ->apply(x, {0}, {});
  CHECK(values_of(x) == std::vector<float>{1.5f, 1.5f});
  Compose({})->apply(x, {0}, {});
  CHECK(values_of(x) == std::vector<float>{1.5f, 1.5f});
  CHECK(Compose({RandomNoise(0.5), RandomAffine({.degrees = 10})})->describe() ==
        "compose(noise(deviation=0.5), affine(degrees=10, zoom=0, shift=0, shear=0, fill=0))");
  check_error(
      ErrorKind::usage,
      [] {
        Compose({RandomNoise(0.5), nullptr});
      },
      "Compose: part 1 is empty");
  check_error(
      ErrorKind::usage, [] { Compose(std::vector<Augment>(4097, RandomNoise(0.5))); }, "got 4097 parts");
  check_error(
      ErrorKind::usage, [&] { RandomNoise(0.5)->apply(x, {0}, {.position = 4096}); }, "position 4096");
}

TEST_CASE("equal parts of a composition draw different numbers, nested or not", "[vision]") {
  const auto noise = RandomNoise(1);
  const auto run = [](const Augment& augment) {
    const Tensor x = zeros({2, 1, 4, 4});
    augment->apply(x, {0, 1}, {.seed = 2});
    return values_of(x);
  };
  const auto once = run(noise), twice = run(Compose({noise, noise}));
  CHECK(run(Compose({noise})) == once);
  size_t doubled = 0;
  for (size_t i = 0; i < once.size(); ++i) doubled += twice[i] == 2 * once[i];
  CHECK(doubled == 0);
  CHECK(run(Compose({noise, Compose({noise, noise})})) == run(Compose({Compose({noise, noise}), noise})));
  CHECK(run(Compose({noise, Compose({noise, noise})})) == run(Compose({noise, noise, noise})));
}

TEST_CASE("a composition gives the same bits for any number of threads", "[vision]") {
  const auto all = Compose({RandomAffine({.degrees = 15, .zoom = 0.1, .shift = 0.1}), ElasticDistortion({}),
                            RandomErase({}), RandomNoise(0.1), Normalise()});
  std::vector<float> first;
  for (int threads : {1, 2, 3}) {
    const Threads use(threads);
    const Tensor x = rand({70, 1, 28, 28}, 5);
    all->apply(x, iota(70), {.seed = 3, .epoch = 4});
    if (first.empty()) first = values_of(x);
    CHECK(values_of(x) == first);
  }
}
