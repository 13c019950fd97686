#include <cmath>

#include "support/check_op.h"
#include "vision/batch.h"
#include "vision/slow_augment.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::vision;

namespace {

/// What RandomAffine draws for one sample, from the words as its documentation describes them.
AffineValues drawn(const AffineOptions& o, AugmentKey key, int64_t index) {
  const int64_t draw[] = {key.epoch, int64_t(key.seed)};
  const auto stream = stream_of(key.position, AugmentUse::affine, draw);
  const auto a = stream.block(index, 0), b = stream.block(index, 1);
  const auto in_range = [](double range, uint32_t word) { return range * int32_t(word) * 0x1p-31; };
  return {.degrees = in_range(o.degrees, a[0]),
          .factor = 1 + in_range(o.zoom, a[1]),
          .shift_x = in_range(o.shift, a[2]),
          .shift_y = in_range(o.shift, a[3]),
          .shear = in_range(o.shear, b[0])};
}

std::vector<int64_t> iota(int64_t size, int64_t first = 0) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(first + i);
  return values;
}

std::vector<float> values_of(const Tensor& x) { return {x.span<float>().begin(), x.span<float>().end()}; }

/// Largest difference between apply() and the slow formula.
double gap(const AffineOptions& options, const Shape& shape) {
  const Tensor images = rand(shape, 7), changed = images.clone();
  const AugmentKey key{.seed = 3, .epoch = 5};
  const auto indices = iota(shape[0], 100);
  apply_everywhere(RandomAffine(options), changed, indices, key);
  double worst = 0;
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t c = 0; c < shape[1]; ++c) {
      const Plane expected =
          slow_affine(plane_of(images, n, c), drawn(options, key, indices[size_t(n)]), options.fill);
      const Plane actual = plane_of(changed, n, c);
      for (size_t i = 0; i < actual.values.size(); ++i)
        worst = std::max(worst, std::abs(actual.values[i] - expected.values[i]));
    }
  return worst;
}

}  // namespace

// python3, NumPy 2, SciPy 1.17:
//   H, W = 5, 6; image = (np.arange(H * W) * 37 % 23 / 22).reshape(H, W)
//   a, k, f, t = np.radians(20), np.tan(np.radians(15)), 1.2, np.array([0.1 * W, -0.2 * H])
//   A = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) @ np.array([[1, -k], [0, 1]]) * f
//   inverse, c = np.linalg.inv(A), np.array([(W - 1) / 2, (H - 1) / 2]); offset = c - inverse @ (c + t)
//   scipy.ndimage.affine_transform(image, inverse[::-1, ::-1], offset[::-1], order=1, mode="grid-constant",
//   cval=0.25)
TEST_CASE("the slow affine formula agrees with SciPy", "[vision]") {
  const std::vector<double> scipy = {0.22932086, 0.41382232, 0.64503355, 0.64042756, 0.35778207, 0.57544935,
                                     0.57548830, 0.54321516, 0.69568125, 0.38643254, 0.41196084, 0.52141808,
                                     0.32964042, 0.71892084, 0.58767202, 0.39975817, 0.72265756, 0.28702397,
                                     0.61568689, 0.77350096, 0.44044046, 0.56798302, 0.46866254, 0.07384538,
                                     0.60428396, 0.53491648, 0.42999090, 0.61444952, 0.32291283, 0.23179540};
  Plane image{5, 6, {}};
  for (int i = 0; i < 30; ++i) image.values.push_back(i * 37 % 23 / 22.0);
  const Plane out =
      slow_affine(image, {.degrees = 20, .factor = 1.2, .shift_x = 0.1, .shift_y = -0.2, .shear = 15}, 0.25);
  for (size_t i = 0; i < scipy.size(); ++i) CHECK(std::abs(out.values[i] - scipy[i]) < 1e-8);
}

TEST_CASE("RandomAffine agrees with the slow formula", "[vision]") {
  // 2^-14 pixels of rounding in each direction times steps of up to 1 between random neighbours
  constexpr double kTolerance = 1.5e-4;
  CHECK(gap({.degrees = 180}, {20, 1, 28, 28}) < kTolerance);
  CHECK(gap({.zoom = 0.5}, {20, 1, 28, 28}) < kTolerance);
  CHECK(gap({.shift = 0.3}, {20, 1, 28, 28}) < kTolerance);
  CHECK(gap({.shear = 40}, {20, 1, 28, 28}) < kTolerance);
  const AffineOptions all{.degrees = 30, .zoom = 0.3, .shift = 0.2, .shear = 20, .fill = -0.5};
  for (const Shape& shape : {Shape{40, 1, 28, 28}, Shape{5, 3, 17, 40}, Shape{3, 1, 1, 1}, Shape{4, 2, 1, 9},
                             Shape{2, 1, 150, 90}, Shape{0, 1, 28, 28}, Shape{2, 1, 0, 5}})
    CHECK(gap(all, shape) < kTolerance);
}

TEST_CASE("RandomAffine without ranges changes no bit", "[vision]") {
  const Tensor images = randn({4, 2, 9, 7}, 1), changed = images.clone();
  RandomAffine({})->apply(changed, iota(4), {.seed = 1});
  CHECK(values_of(changed) == values_of(images));
  // not only by the short cut: a range too small to move anything goes through the arithmetic
  RandomAffine({.degrees = 1e-9})->apply(changed, iota(4), {.seed = 1});
  CHECK(values_of(changed) == values_of(images));
}

TEST_CASE("affine directions: counter-clockwise, right, down, larger, leaning right", "[vision]") {
  using namespace uncial::kernels;
  constexpr int64_t kSide = 9, kQ14 = 1 << 14;
  constexpr uint32_t kHalf = 0x40000000u;  // draws half of the range, positive
  const auto source = [&](AffineRanges ranges, std::array<uint32_t, 5> words, int64_t x, int64_t y) {
    const SourcePoint p = affine_source(affine_map(ranges, words, kSide, kSide), x, y, kSide, kSide);
    return std::pair(double(p.x) / kQ14, double(p.y) / kQ14);
  };
  using Pair = std::pair<double, double>;
  // A quarter turn counter-clockwise brings the right edge's middle to the top.
  CHECK(source({.rotation = to_fixed(0.5, 32), .zoom = 0, .shift = 0, .shear = 0}, {kHalf, 0, 0, 0, 0}, 4,
               0) == Pair(8, 4));
  // A third of the side to the right: the middle shows what was three pixels to the left of it. Then down.
  const int64_t third = to_fixed(2.0 / 3, 32);
  CHECK(source({.rotation = 0, .zoom = 0, .shift = third, .shear = 0}, {0, 0, kHalf, 0, 0}, 4, 4) ==
        Pair(1, 4));
  CHECK(source({.rotation = 0, .zoom = 0, .shift = third, .shear = 0}, {0, 0, 0, kHalf, 0}, 4, 4) ==
        Pair(4, 1));
  // Zoom factor 1.25: the edge shows what was nearer to the centre.
  const auto [zoomed, middle] =
      source({.rotation = 0, .zoom = to_fixed(0.5, 32), .shift = 0, .shear = 0}, {0, kHalf, 0, 0, 0}, 8, 4);
  CHECK(zoomed == Approx(4 + 4 / 1.25).margin(1e-4));
  CHECK(middle == 4);
  // Shear by 45 degrees: the top row moves right by its distance from the centre.
  const auto [leaning, top] =
      source({.rotation = 0, .zoom = 0, .shift = 0, .shear = to_fixed(0.25, 32)}, {0, 0, 0, 0, kHalf}, 6, 0);
  CHECK(leaning == Approx(2).margin(1e-4));
  CHECK(top == 0);
}

TEST_CASE("an affine map in 32 bits has the same sources", "[vision]") {
  using namespace uncial::kernels;
  const AffineRanges ranges{.rotation = to_fixed(0.5, 32),
                            .zoom = to_fixed(0.5, 32),
                            .shift = to_fixed(0.3, 32),
                            .shear = to_fixed(0.1, 32)};
  int64_t narrow = 0, wide = 0, wrong = 0;
  for (uint64_t n = 0; n < 200; ++n) {
    const auto a = RandomStream(4, Purpose::augment, 0, n).block(0),
               b = RandomStream(4, Purpose::augment, 0, n).block(1);
    const int64_t H = 1 + a[0] % 100, W = 1 + a[1] % 100;
    const AffineMap map = affine_map(ranges, {a[2], a[3], b[0], b[1], b[2]}, H, W);
    if (!fits_narrow(map, H, W)) {
      ++wide;
      continue;
    }
    ++narrow;
    for (int64_t i = 0; i < H * W; ++i) {
      const SourcePoint p = affine_source(map, i % W, i / W, H, W),
                        q = affine_source(NarrowAffineMap(map), int32_t(i % W), int32_t(i / W), int32_t(H),
                                          int32_t(W));
      wrong += p.x != q.x || p.y != q.y;
    }
  }
  CHECK(wrong == 0);
  CHECK(narrow > 100);
  CHECK(wide > 10);
}

TEST_CASE("each sample's affine map depends on seed, epoch and index alone", "[vision]") {
  const auto affine = RandomAffine({.degrees = 20, .zoom = 0.2, .shift = 0.1, .shear = 5});
  const Tensor images = rand({50, 1, 28, 28}, 2);
  const auto run = [&](std::vector<int64_t> order, AugmentKey key) {
    Tensor batch = empty({int64_t(order.size()), 1, 28, 28});
    for (size_t i = 0; i < order.size(); ++i)
      std::copy_n(images.data<float>() + order[i] * 784, 784, batch.data<float>() + int64_t(i) * 784);
    apply_everywhere(affine, batch, order, key);
    return batch;
  };
  const AugmentKey key{.seed = 9, .epoch = 2};
  const auto whole = values_of(run(iota(50), key));
  const auto sample = [&](const Tensor& batch, int64_t n) {
    const float* p = batch.data<float>() + n * 784;
    return std::vector<float>(p, p + 784);
  };
  const std::vector<float> expected(whole.begin() + 13 * 784, whole.begin() + 14 * 784);
  CHECK(sample(run({13}, key), 0) == expected);
  CHECK(sample(run({40, 2, 13, 5}, key), 2) == expected);
  CHECK(sample(run({13}, {.seed = 9, .epoch = 3}), 0) != expected);
  CHECK(sample(run({13}, {.seed = 10, .epoch = 2}), 0) != expected);
  CHECK(sample(run({13}, {.seed = 9, .epoch = 2, .position = 1}), 0) != expected);
  for (int threads : {1, 2, 3}) {
    const Threads use(threads);
    CHECK(values_of(run(iota(50), key)) == whole);
  }
}

TEST_CASE("RandomAffine counts as a change in place", "[vision]") {
  const Tensor images = rand({1, 1, 8, 8}, 2);
  const uint64_t before = images.version();
  RandomAffine({.degrees = 5})->apply(images, {0}, {});
  CHECK(images.version() > before);
}

TEST_CASE("RandomAffine names the option that is out of range", "[vision]") {
  const auto bad = [](AffineOptions o, std::string_view part) {
    check_error(
        ErrorKind::usage, [&] { RandomAffine(o); }, part);
  };
  bad({.degrees = -1}, "RandomAffine: degrees must be in [0, 180], got -1");
  bad({.degrees = 181}, "degrees");
  bad({.zoom = 0.95}, "zoom must be in [0, 0.9], got 0.95");
  bad({.shift = 2}, "shift must be in [0, 1], got 2");
  bad({.shear = 85}, "shear must be in [0, 80]");
  bad({.fill = NAN}, "fill must be finite");
  bad({.degrees = NAN}, "degrees");

  const auto affine = RandomAffine({.degrees = 5});
  check_error(
      ErrorKind::usage,
      [&] {
        affine->apply(zeros({2, 8, 8}), {0, 1}, {});
      },
      "(N, C, H, W)", "(2, 8, 8)");
  check_error(
      ErrorKind::usage,
      [&] {
        affine->apply(zeros({1, 1, 8, 8}, DType::float64), {0}, {});
      },
      "float64");
  check_error(
      ErrorKind::usage,
      [&] {
        affine->apply(zeros({2, 1, 8, 8}), {0}, {});
      },
      "1 indices for 2 images");
  check_error(
      ErrorKind::usage, [&] { affine->apply(Tensor(), {}, {}); }, "undefined");
}
