#include <limits>

#include "layer_check.h"
#include "slow_layers.h"
#include "support/errors.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

struct PoolCase {
  Shape x;
  PoolOptions options;
};

// Odd and even sides, windows apart, overlapping and side by side, padding, one pixel, no images, rows longer
// than the widest vector, planes enough for several tasks.
const std::vector<PoolCase> kCases = {
    {{1, 1, 2, 2}, {}},
    {{2, 3, 4, 4}, {}},
    {{2, 3, 5, 7}, {}},
    {{1, 2, 66, 70}, {}},
    {{64, 8, 24, 24}, {}},
    {{2, 2, 6, 6}, {.kernel = 2, .stride = 1}},
    {{2, 2, 7, 5}, {.kernel = 3, .stride = 2, .padding = 1}},
    {{2, 2, 7, 9}, {.kernel = 3}},
    {{1, 3, 8, 8}, {.kernel = 3, .stride = 1, .padding = 1}},
    {{1, 1, 9, 9}, {.kernel = 2, .stride = 4}},
    {{3, 2, 4, 4}, {.kernel = 4}},
    {{1, 1, 1, 1}, {.kernel = 1}},
    {{1, 2, 3, 3}, {.kernel = 1, .stride = 2}},
    {{1, 1, 5, 5}, {.kernel = 5, .stride = 3, .padding = 2}},
    {{1, 1, 1, 3}, {.kernel = 2, .stride = 1, .padding = 1}},
    {{0, 3, 4, 4}, {}},
    {{2, 0, 4, 4}, {}},
};

/// Values 2e-4 apart, in mixed order: the steps of a central difference make no other one the largest.
Tensor image(const Shape& shape) {
  constexpr int64_t kPrime = 1000003;  // shares no factor with any size above
  const Tensor x = empty(shape, DType::float64);
  for (int64_t i = 0; i < x.size(); ++i)
    x.data<double>()[i] = 2e-4 * double(i * kPrime % x.size()) - 1e-4 * double(x.size());
  return x;
}

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("max_pool2d: values and gradients") {
  for (const PoolCase& c : kCases) {
    INFO("x " << c.x << " kernel " << c.options.kernel << " stride " << c.options.stride << " padding "
              << c.options.padding);
    check_layer({.layer = [&](const Tensors& in) { return max_pool2d(in[0], c.options); },
                 .reference = [&](const Tensors& in) { return slow::pool(in[0], c.options, slow::largest); },
                 .inputs = {image(c.x)},
                 .tolerance = 0});
  }
}

TEST_CASE("avg_pool2d: values and gradients") {
  for (const PoolCase& c : kCases) {
    INFO("x " << c.x << " kernel " << c.options.kernel << " stride " << c.options.stride << " padding "
              << c.options.padding);
    check_layer({.layer = [&](const Tensors& in) { return avg_pool2d(in[0], c.options); },
                 .reference = [&](const Tensors& in) { return slow::pool(in[0], c.options, slow::average); },
                 .inputs = {image(c.x)}});
  }
}

TEST_CASE("global pools: values and gradients") {
  for (const Shape& shape : std::vector<Shape>{
           {1, 1, 1, 1}, {2, 3, 4, 4}, {3, 2, 5, 5}, {2, 1, 7, 7}, {0, 2, 3, 3}, {4, 5, 2, 2}}) {
    INFO("x " << shape);
    const PoolOptions whole{.kernel = shape[2]};
    check_layer({.layer = [](const Tensors& in) { return global_avg_pool2d(in[0]); },
                 .reference = [&](const Tensors& in) { return slow::pool(in[0], whole, slow::average); },
                 .inputs = {image(shape)}});
    check_layer({.layer = [](const Tensors& in) { return global_max_pool2d(in[0]); },
                 .reference = [&](const Tensors& in) { return slow::pool(in[0], whole, slow::largest); },
                 .inputs = {image(shape)}});
  }
}

TEST_CASE("max_pool2d: the first of equal winners takes the gradient, on every instruction set") {
  for_each_isa([&](const std::string& isa) {
    INFO(isa);
    // Long enough for vectors and a tail; the windows cycle through all ties of {0, 1} over four places.
    for (PoolOptions options : {PoolOptions{}, PoolOptions{.kernel = 2, .stride = 2, .padding = 1}}) {
      const int64_t Q = 37;
      const Tensor x = zeros({1, 1, 2, 2 * Q});
      for (int64_t q = 0; q < Q; ++q)
        for (int64_t place = 0; place < 4; ++place)
          x.data<float>()[place / 2 * 2 * Q + 2 * q + place % 2] = float(q >> place & 1);
      const Tensor p = parameter(x), y = max_pool2d(p, options);
      const Tensor dy = rand(y.shape(), 3, 1, 2);
      y.backward(dy);
      Tensor expected = zeros_like(x);
      for (int64_t i = 0; i < y.size(); ++i) {
        int64_t best = -1;
        for (int64_t h = i / y.size(3) * 2 - options.padding, end = h + 2; h < end; ++h)
          for (int64_t w = i % y.size(3) * 2 - options.padding, stop = w + 2; w < stop; ++w) {
            if (h < 0 || h >= 2 || w < 0 || w >= 2 * Q) continue;
            const int64_t place = h * 2 * Q + w;
            if (best < 0 || x.data<float>()[place] > x.data<float>()[best]) best = place;
          }
        expected.data<float>()[best] += dy.data<float>()[i];
      }
      CHECK(same_bits(p.grad(), expected));
    }
  });
}

TEST_CASE("max_pool2d: NaN wins, padding never does") {
  for_each_isa([&](const std::string& isa) {
    INFO(isa);
    for (int64_t place = 0; place < 4; ++place) {
      const Tensor x = full({1, 1, 2, 80}, 1, DType::float64);
      x.data<double>()[place / 2 * 80 + place % 2] = kNaN;       // in the vectors
      x.data<double>()[place / 2 * 80 + 78 + place % 2] = kNaN;  // in the tail
      x.data<double>()[80 + 1] = kNaN;                           // a later NaN changes nothing
      const Tensor p = parameter(x), y = max_pool2d(p);
      CHECK(std::isnan(y.at({0, 0, 0, 0})));
      CHECK(std::isnan(y.at({0, 0, 0, 39})));
      CHECK(y.at({0, 0, 0, 1}) == 1);
      y.backward(ones(y.shape(), y.dtype()));
      CHECK(p.grad().at({0, 0, place / 2, place % 2}) == 1);
      CHECK(p.grad().sum().item() == 40);
    }
  });
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(max_pool2d(full({1, 1, 2, 2}, -5), {.kernel = 2, .padding = 1}).sum().item() == -20);
  CHECK(max_pool2d(full({1, 1, 2, 2}, -infinity)).item() == -infinity);
  // -inf everywhere: the first place, inside the image, still takes the gradient.
  const Tensor p = parameter(full({1, 1, 1, 1}, -infinity));
  max_pool2d(p, {.kernel = 3, .padding = 1}).backward(ones({1, 1, 1, 1}));
  CHECK(p.grad().item() == 1);
}

TEST_CASE("pooling: second derivatives") {
  const PoolOptions options{.kernel = 3, .stride = 2, .padding = 1};
  const Tensor x = image({2, 2, 5, 5});
  CHECK(second_gradient_gap([&](const Tensors& in) { return square(max_pool2d(in[0], options)); }, {x}) <
        1e-6);
  CHECK(second_gradient_gap([&](const Tensors& in) { return square(avg_pool2d(in[0], options)); }, {x}) <
        1e-6);
}

TEST_CASE("pooling: errors name the call and the way out") {
  const auto usage = [](auto&& call, auto... parts) { check_error(ErrorKind::usage, call, parts...); };
  usage(
      [] {
        max_pool2d(zeros({1, 28, 28}));
      },
      "max_pool2d: x must be (N, C, H, W), got (1, 28, 28)", "x.unsqueeze(0)");
  usage(
      [] {
        avg_pool2d(zeros({1, 1, 2, 2}), {.kernel = 3});
      },
      "avg_pool2d: kernel 3 is larger than x(1, 1, 2, 2)", "use kernel <= 2");
  usage(
      [] {
        max_pool2d(zeros({1, 1, 4, 4}), {.kernel = 2, .padding = 2});
      },
      "padding must be 0 to 1", "got 2");
  usage([] { max_pool2d(zeros({1, 1, 4, 4}), {.kernel = 0}); }, "kernel >= 1", "got kernel 0");
  usage([] { max_pool2d(zeros({1, 1, 4, 4}), {.kernel = 2, .stride = -1}); }, "stride >= 1", "stride -1");
  usage([] { max_pool2d(zeros({1, 1, 0, 4}), {.kernel = 2, .padding = 1}); }, "x(1, 1, 0, 4) have no pixels");
  usage([] { global_avg_pool2d(zeros({1, 1, 0, 4})); }, "global_avg_pool2d", "no pixels");
  usage([] { global_max_pool2d(zeros({1, 4})); }, "global_max_pool2d: x must be (N, C, H, W), got (1, 4)");
  usage([] { max_pool2d(zeros({1, 1, 2, 2}, DType::int64)); }, "max_pool2d", "int64");
  // The advice is right.
  CHECK(avg_pool2d(zeros({1, 1, 2, 2}), {.kernel = 2}).size() == 1);
}
