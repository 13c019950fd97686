#include <cmath>

#include "support/errors.h"
#include "vision/batch.h"
#include "vision/slow_augment.h"

using namespace uncial;
using namespace uncial::test;
using namespace uncial::vision;

// python3, NumPy 2, SciPy 1.17:
//   scipy.ndimage.gaussian_filter((np.arange(35) * 37 % 23 / 22).reshape(5, 7), 1.5, mode="constant",
//   truncate=4)
TEST_CASE("the slow Gaussian agrees with SciPy", "[vision]") {
  const std::vector<double> scipy = {0.16634800, 0.24207891, 0.28910124, 0.30670872, 0.30077931, 0.26938694,
                                     0.20817458, 0.23308987, 0.32685887, 0.38415538, 0.41053169, 0.40983268,
                                     0.36933972, 0.28119556, 0.26086622, 0.35525289, 0.41418990, 0.44732701,
                                     0.45221418, 0.40768695, 0.30594686, 0.23822368, 0.32144212, 0.37577755,
                                     0.40883630, 0.41377309, 0.37152513, 0.27749781, 0.17382911, 0.23820372,
                                     0.28216775, 0.30740130, 0.30776458, 0.27410165, 0.20567665};
  Plane image{5, 7, {}};
  for (int i = 0; i < 35; ++i) image.values.push_back(i * 37 % 23 / 22.0);
  const Plane out = slow_gaussian(image, 1.5, 6);
  for (size_t i = 0; i < scipy.size(); ++i) CHECK(std::abs(out.values[i] - scipy[i]) < 1e-8);
}

TEST_CASE("ElasticDistortion agrees with the slow formula", "[vision]") {
  for (const auto& [shape, options] :
       {std::pair(Shape{4, 1, 28, 28}, ElasticOptions{.alpha = 2, .sigma = 3}),
        std::pair(Shape{2, 3, 11, 30}, ElasticOptions{.alpha = 5, .sigma = 1.5}),
        std::pair(Shape{2, 2, 81, 50}, ElasticOptions{.alpha = 3, .sigma = 2}),
        std::pair(Shape{2, 1, 6, 5}, ElasticOptions{.alpha = 1, .sigma = 8})}) {
    const Tensor images = rand(shape, 4), changed = images.clone();
    const AugmentKey key{.seed = 8, .epoch = 1};
    const int64_t draw[] = {key.epoch, int64_t(key.seed)};
    std::vector<int64_t> indices;
    for (int64_t n = 0; n < shape[0]; ++n) indices.push_back(30 + n);
    apply_everywhere(ElasticDistortion(options), changed, indices, key);
    const int64_t H = shape[2], W = shape[3];
    for (int64_t n = 0; n < shape[0]; ++n) {
      Plane dx{H, W, {}}, dy{H, W, {}};
      for (int64_t i = 0; i < H * W; ++i) {
        const uint32_t word = stream_of(key.position, AugmentUse::elastic, draw)
                                  .block(indices[size_t(n)], uint32_t(i / 4))[size_t(i % 4)];
        dx.values.push_back(double(word >> 16) - 32768), dy.values.push_back(double(word & 0xffff) - 32768);
      }
      const int64_t radius = int64_t(std::ceil(4 * options.sigma));
      dx = slow_gaussian(dx, options.sigma, radius), dy = slow_gaussian(dy, options.sigma, radius);
      double largest = 0;
      for (const Plane& d : {dx, dy})
        for (double v : d.values) largest = std::max(largest, std::abs(v));
      double worst = 0;
      for (int64_t c = 0; c < shape[1]; ++c) {
        const Plane source = plane_of(images, n, c), actual = plane_of(changed, n, c);
        for (int64_t i = 0; i < H * W; ++i) {
          const double y = double(i / W) + options.alpha * dy.values[size_t(i)] / largest;
          const double x = double(i % W) + options.alpha * dx.values[size_t(i)] / largest;
          worst = std::max(worst, std::abs(actual.values[size_t(i)] - source.sample(y, x, 0)));
        }
      }
      CHECK(worst < 5e-3);  // the weights' 14 bits move a pixel by up to 0.1 % of alpha
    }
  }
}

TEST_CASE("ElasticDistortion: alpha 0 changes nothing, samples are independent, ranges are checked",
          "[vision]") {
  const Tensor images = rand({6, 1, 28, 28}, 3), whole = images.clone();
  const auto elastic = ElasticDistortion();
  ElasticDistortion({.alpha = 0})->apply(whole, {0, 1, 2, 3, 4, 5}, {});
  CHECK(std::equal(whole.span<float>().begin(), whole.span<float>().end(), images.span<float>().begin()));
  elastic->apply(whole, {0, 1, 2, 3, 4, 5}, {.seed = 1});
  const Tensor one = empty({1, 1, 28, 28});
  std::copy_n(images.data<float>() + 4 * 784, 784, one.data<float>());
  elastic->apply(one, {4}, {.seed = 1});
  CHECK(std::equal(one.span<float>().begin(), one.span<float>().end(), whole.data<float>() + 4 * 784));
  check_error(
      ErrorKind::usage, [] { ElasticDistortion({.alpha = -1}); }, "alpha must be in [0, 1000], got -1");
  check_error(
      ErrorKind::usage, [] { ElasticDistortion({.sigma = 0.1}); }, "sigma must be in [0.5, 32], got 0.1");
}
