#include "layer_check.h"
#include "slow_layers.h"
#include "support/errors.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

// (N, C) and (N, C, ...); one value a channel, short and long rows, several chunks, tasks of one and many
// channels.
const std::vector<Shape> kShapes = {{2, 1},          {1, 3, 2},      {5, 4},          {33, 70},
                                    {2, 3, 5},       {3, 2, 4, 4},   {2, 3, 7, 5},    {1, 2, 9, 11},
                                    {4, 16, 12, 12}, {2, 2, 65, 67}, {2, 3, 2, 3, 2}, {3, 0},
                                    {3, 0, 4, 4},    {7, 1, 1, 1},   {128, 8, 6, 6}};

Tensor values(const Shape& shape, uint64_t seed) { return randn(shape, seed, DType::float64); }
/// Positive values, for variances.
Tensor positive(const Shape& shape, uint64_t seed) { return rand(shape, seed, 0.5, 2, DType::float64); }

slow::Statistics given(const Tensor& mean, const Tensor& variance) {
  return {{mean.data<double>(), mean.data<double>() + mean.size()},
          {variance.data<double>(), variance.data<double>() + variance.size()}};
}

}  // namespace

TEST_CASE("batch_norm: values and gradients") {
  for (const Shape& shape : kShapes) {
    INFO("x " << shape);
    const Shape channels{shape[1]};
    check_layer({.layer = [](const Tensors& in) { return batch_norm(in[0], in[1], in[2], 1e-3).y; },
                 .reference =
                     [](const Tensors& in) {
                       return slow::normalise(in[0], in[1], in[2], slow::statistics(in[0]), 1e-3);
                     },
                 .inputs = {values(shape, 1), values(channels, 2), values(channels, 3)},
                 .tolerance = 1e-11,
                 .float_tolerance = 1e-4,
                 .second_tolerance = 1e-5});
    const BatchNormResult result = batch_norm(values(shape, 1), {}, {});
    const slow::Statistics expected = slow::statistics(values(shape, 1));
    for (int64_t c = 0; c < shape[1]; ++c) {
      CHECK(result.mean.at({c}) == Approx(expected.mean[size_t(c)]).margin(1e-13));
      CHECK(result.variance.at({c}) == Approx(expected.variance[size_t(c)]).margin(1e-13));
    }
  }
}

TEST_CASE("batch_norm: scale and shift may be missing; statistics carry no gradient") {
  const Tensor x = values({4, 3, 5, 5}, 1), scale = values({3}, 2), shift = values({3}, 3);
  const auto missing = [&](const Tensor& g, const Tensor& b) {
    check_layer(
        {.layer = [&](const Tensors& in) { return batch_norm(in[0], beside(in[0], g), beside(in[0], b)).y; },
         .reference =
             [&](const Tensors& in) { return slow::normalise(in[0], g, b, slow::statistics(in[0]), 1e-5); },
         .inputs = {x},
         .tolerance = 1e-11});
  };
  missing({}, {});
  missing(scale, {});
  missing({}, shift);
  const BatchNormResult result = batch_norm(parameter(x), scale, shift);
  CHECK(result.y.requires_grad());
  CHECK_FALSE(result.mean.requires_grad());
  CHECK_FALSE(result.variance.requires_grad());
}

TEST_CASE("batch_norm: one value, equal values and far means stay finite and accurate") {
  for_each_isa([&](const std::string& name) {
    INFO(name);
    const Tensor one = parameter(tensor<float>({3, -4}, Shape{1, 2}));
    const BatchNormResult result = batch_norm(one, {}, tensor<float>({5, 6}));
    CHECK(result.y.at({0, 0}) == 5);
    CHECK(result.y.at({0, 1}) == 6);
    CHECK(result.variance.at({0}) == 0);
    result.y.backward(ones({1, 2}));
    CHECK(one.grad().at({0, 0}) == 0);

    CHECK(std::abs(batch_norm(full({8, 1, 13, 13}, 0.1), {}, {}).y.at({7, 0, 12, 12})) < 1e-3);

    // Mean 1000, deviation 1: single-pass sums of squares would lose everything in float32.
    const Tensor x = (values({16, 2, 40, 40}, 4) + 1000.0).to(DType::float32);
    const slow::Statistics expected = slow::statistics(x.to(DType::float64));
    CHECK(batch_norm(x, {}, {}).variance.at({1}) == Approx(expected.variance[1]).epsilon(1e-4));
    CHECK(batch_norm(x, {}, {}).mean.at({1}) == Approx(expected.mean[1]).epsilon(1e-7));
  });
}

TEST_CASE("batch_norm_inference: values and gradients") {
  for (const Shape& shape : kShapes) {
    INFO("x " << shape);
    const Shape c{shape[1]};
    check_layer(
        {.layer =
             [](const Tensors& in) { return batch_norm_inference(in[0], in[1], in[2], in[3], in[4], 0.1); },
         .reference =
             [](const Tensors& in) { return slow::normalise(in[0], in[1], in[2], given(in[3], in[4]), 0.1); },
         .inputs = {values(shape, 1), values(c, 2), values(c, 3), values(c, 4), positive(c, 5)},
         .float_tolerance = 1e-4});
  }
  // An empty batch is fine where nothing is averaged.
  CHECK(batch_norm_inference(zeros({0, 2, 3}), {}, {}, zeros({2}), ones({2})).shape() == Shape{0, 2, 3});
}

TEST_CASE("batch_norm_inference repeats batch_norm when given its statistics") {
  const Tensor x = randn({6, 3, 9, 9}, 1), scale = randn({3}, 2), shift = randn({3}, 3);
  const BatchNormResult r = batch_norm(x, scale, shift);
  CHECK(same_bits(batch_norm_inference(x, scale, shift, r.mean, r.variance), r.y));
}

TEST_CASE("layer_norm: values and gradients") {
  for (const Shape& shape : std::vector<Shape>{{1},
                                               {5},
                                               {1, 2},
                                               {4, 3},
                                               {2, 3, 5},
                                               {3, 1},
                                               {0, 4},
                                               {2, 0, 3},
                                               {7, 33},
                                               {2, 2, 2, 9},
                                               {3, 100},
                                               {1100, 17},
                                               {2, 4100},
                                               {1, 1, 1, 1, 6}}) {
    INFO("x " << shape);
    const Shape last{shape.back()};
    check_layer({.layer = [](const Tensors& in) { return layer_norm(in[0], in[1], in[2], 1e-3); },
                 .reference = [](const Tensors& in) { return slow::layer_norm(in[0], in[1], in[2], 1e-3); },
                 .inputs = {values(shape, 1), values(last, 2), values(last, 3)},
                 .tolerance = 1e-11,
                 .float_tolerance = 1e-4});
  }
  const Tensor x = values({3, 4}, 1);
  check_close(layer_norm(x, {}, {}), slow::layer_norm(x, {}, {}, 1e-5), 1e-12);
}

TEST_CASE("normalisation: errors name the call and the way out") {
  const auto usage = [](auto&& call, auto... parts) { check_error(ErrorKind::usage, call, parts...); };
  usage([] { batch_norm(zeros({4}), {}, {}); }, "batch_norm: x must be (N, C) or (N, C, ...), got (4)",
        "x.unsqueeze(0)");
  usage(
      [] {
        batch_norm(zeros({2, 3, 4}), ones({4}), {});
      },
      "batch_norm: scale(4) must be (3)", "3 channels of x(2, 3, 4)");
  usage([] { batch_norm(zeros({2, 3}), ones({3}, DType::float64), {}); }, "scale is float64 and x float32");
  usage(
      [] {
        batch_norm(zeros({0, 3, 4}), {}, {});
      },
      "batch_norm: x(0, 3, 4) has no values", "skip empty batches");
  usage([] { batch_norm(zeros({2, 3}), {}, {}, 0); }, "epsilon must be > 0, got 0");
  usage([] { batch_norm(zeros({2, 3}, DType::int32), {}, {}); }, "float", "int32");
  usage([] { batch_norm_inference(zeros({2, 3}), {}, {}, zeros({2}), ones({3})); }, "mean(2) must be (3)");
  usage(
      [] {
        batch_norm_inference(zeros({2, 3}), {}, {}, {}, ones({3}));
      },
      "batch_norm_inference", "undefined");
  usage([] { layer_norm(zeros({2, 0}), {}, {}); }, "layer_norm: x(2, 0) needs at least one value");
  usage([] { layer_norm(zeros({2, 3}), ones({2}), {}); }, "layer_norm: scale(2) must be (3)");
  usage([] { layer_norm(zeros({2, 3}), {}, {}, -1); }, "epsilon must be > 0, got -1");
}
