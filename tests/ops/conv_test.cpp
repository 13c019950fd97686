#include "layer_check.h"
#include "slow_layers.h"
#include "support/errors.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

Tensor values(const Shape& shape, uint64_t seed) { return randn(shape, seed, DType::float64); }

struct ConvCase {
  Shape x, w;
  bool bias;
  ConvOptions options;
};

// Filters of one place and as large as the image; strides that leave pixels over; every option alone and all
// together; depthwise; one channel in; nothing in the batch; products wider and deeper than a tile.
const std::vector<ConvCase> kConvs = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, true, {}},
    {{2, 1, 5, 5}, {3, 1, 3, 3}, true, {}},
    {{2, 3, 7, 6}, {4, 3, 3, 3}, false, {.padding = 1}},
    {{1, 2, 8, 9}, {3, 2, 3, 2}, true, {.stride = 2}},
    {{2, 2, 9, 9}, {5, 2, 2, 3}, true, {.stride = 3, .padding = 2}},
    {{1, 3, 9, 10}, {2, 3, 3, 3}, true, {.dilation = 2}},
    {{2, 4, 6, 6}, {6, 2, 3, 3}, true, {.padding = 1, .groups = 2}},
    {{2, 5, 5, 7}, {5, 1, 3, 3}, true, {.padding = 1, .groups = 5}},
    {{2, 3, 6, 5}, {6, 1, 2, 2}, false, {.stride = 2, .groups = 3}},
    {{2, 4, 11, 10}, {4, 2, 3, 2}, true, {.stride = 2, .padding = 3, .dilation = 2, .groups = 2}},
    {{3, 2, 4, 4}, {7, 2, 4, 4}, true, {}},
    {{2, 6, 5, 5}, {8, 6, 1, 1}, true, {}},
    {{2, 6, 5, 5}, {8, 6, 1, 1}, true, {.stride = 2}},
    {{1, 1, 3, 3}, {1, 1, 5, 5}, false, {.padding = 1}},
    {{1, 2, 3, 4}, {2, 2, 2, 2}, true, {.stride = 5}},
    {{0, 2, 4, 4}, {3, 2, 3, 3}, true, {}},
    {{17, 1, 12, 12}, {16, 1, 5, 5}, true, {}},
    {{5, 16, 9, 9}, {33, 16, 3, 3}, false, {.padding = 1}},
    {{2, 40, 14, 14}, {20, 40, 3, 3}, true, {}},
};

struct TransposeCase {
  Shape x, w;
  bool bias;
  ConvTransposeOptions options;
};

const std::vector<TransposeCase> kTransposes = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, true, {}},
    {{2, 3, 4, 5}, {3, 2, 3, 3}, true, {}},
    {{1, 2, 3, 3}, {2, 4, 2, 2}, false, {.stride = 2}},
    {{2, 2, 4, 3}, {2, 3, 3, 2}, true, {.stride = 2, .padding = 1}},
    {{1, 2, 4, 4}, {2, 3, 3, 3}, true, {.stride = 2, .padding = 1, .output_padding = 1}},
    {{1, 2, 3, 4}, {2, 2, 3, 3}, true, {.dilation = 2}},
    {{2, 4, 3, 3}, {4, 3, 3, 3}, true, {.groups = 2}},
    {{2, 3, 4, 4}, {3, 1, 3, 3}, true, {.padding = 1, .groups = 3}},
    {{1, 4, 3, 5},
     {4, 1, 2, 3},
     false,
     {.stride = 3, .padding = 1, .output_padding = 2, .dilation = 2, .groups = 2}},
    {{0, 2, 3, 3}, {2, 3, 3, 3}, true, {}},
    {{3, 8, 7, 7}, {8, 16, 5, 5}, true, {.padding = 2}},
    {{2, 5, 6, 6}, {5, 2, 4, 4}, true, {.stride = 2, .padding = 1}},
    {{1, 1, 2, 2}, {1, 1, 3, 3}, false, {.stride = 4}},
};

/// The bias among the inputs, or none.
Tensor bias_of(const Tensors& in) { return in.size() == 3 ? in[2] : Tensor(); }

}  // namespace

TEST_CASE("conv2d: values and gradients") {
  for (const ConvCase& c : kConvs) {
    INFO("x " << c.x << " w " << c.w << " stride " << c.options.stride << " padding " << c.options.padding
              << " dilation " << c.options.dilation << " groups " << c.options.groups);
    Tensors inputs{values(c.x, 1), values(c.w, 2)};
    if (c.bias) inputs.push_back(values({c.w[0]}, 3));
    check_layer(
        {.layer = [&](const Tensors& in) { return conv2d(in[0], in[1], bias_of(in), c.options); },
         .reference = [&](const Tensors& in) { return slow::conv2d(in[0], in[1], bias_of(in), c.options); },
         .inputs = inputs});
  }
}

TEST_CASE("conv_transpose2d: values and gradients") {
  for (const TransposeCase& c : kTransposes) {
    INFO("x " << c.x << " w " << c.w << " stride " << c.options.stride << " padding " << c.options.padding
              << " + " << c.options.output_padding << " dilation " << c.options.dilation << " groups "
              << c.options.groups);
    Tensors inputs{values(c.x, 1), values(c.w, 2)};
    if (c.bias) inputs.push_back(values({c.w[1] * c.options.groups}, 3));
    check_layer(
        {.layer = [&](const Tensors& in) { return conv_transpose2d(in[0], in[1], bias_of(in), c.options); },
         .reference =
             [&](const Tensors& in) { return slow::conv_transpose2d(in[0], in[1], bias_of(in), c.options); },
         .inputs = inputs});
  }
}

TEST_CASE("convolutions: second derivatives") {
  const Tensor x = values({2, 2, 5, 5}, 1), w = values({4, 1, 3, 3}, 2);
  const auto conv = [](const Tensors& in) {
    return conv2d(in[0], in[1], {}, {.stride = 2, .padding = 1, .groups = 2});
  };
  CHECK(second_gradient_gap(conv, {x, w}) < 1e-6);
  CHECK(second_gradient_gap([&](const Tensors& in) { return square(conv({in[1], in[0]})); }, {w, x}) < 1e-6);
  const auto transpose = [](const Tensors& in) {
    return square(conv_transpose2d(in[0], in[1], {}, {.stride = 2, .padding = 1, .output_padding = 1}));
  };
  CHECK(second_gradient_gap(transpose, {values({1, 2, 3, 3}, 3), values({2, 2, 3, 3}, 4)}) < 1e-6);
}

TEST_CASE("conv2d: only the gradients that are wanted") {
  const Tensor x = parameter(randn({1, 2, 4, 4}, 1)), w = randn({3, 2, 3, 3}, 2);
  conv2d(x, w).backward(ones({1, 3, 2, 2}));
  CHECK(x.grad().defined());
  CHECK_FALSE(w.grad().defined());
  const Tensor v = parameter(w), bias = parameter(zeros({3}));
  conv2d(x.detach(), v, bias).backward(ones({1, 3, 2, 2}));
  CHECK(v.grad().defined());
  CHECK(bias.grad().at({2}) == 4);
}

TEST_CASE("convolutions: errors name the call and the way out") {
  const auto usage = [](auto&& call, auto... parts) { check_error(ErrorKind::usage, call, parts...); };
  const Tensor x = zeros({1, 2, 5, 5}), w = zeros({4, 2, 3, 3});
  usage(
      [&] {
        conv2d(zeros({1, 28, 28}), w);
      },
      "conv2d: x must be (N, C, H, W), got (1, 28, 28)", "x.unsqueeze(0)");
  usage(
      [&] {
        conv2d(x, zeros({4, 3, 3, 3}));
      },
      "conv2d: w(4, 3, 3, 3)", "reads 3 channels", "x(1, 2, 5, 5) has 2");
  usage(
      [&] {
        conv2d(x, zeros({4, 2, 6, 6}));
      },
      "conv2d", "w(4, 2, 6, 6)", "is larger than x(1, 2, 5, 5)", "padding >= 1");
  usage([&] { conv2d(x, w, {}, {.stride = 0}); }, "conv2d", "stride");
  usage([&] { conv2d(x, w, {}, {.padding = -1}); }, "conv2d", "padding");
  usage([&] { conv2d(x, w, {}, {.dilation = 0}); }, "conv2d", "dilation");
  usage([&] { conv2d(x, w, {}, {.groups = 3}); }, "conv2d", "3 group");
  usage([&] { conv2d(x, w, zeros({3})); }, "conv2d", "bias");
  usage([&] { conv2d(x, w.to(DType::float64)); }, "conv2d", "float64");
  usage([&] { conv2d(x.to(DType::int64), w.to(DType::int64)); }, "conv2d", "int64");
  // The advice is right.
  CHECK(conv2d(x, zeros({4, 2, 6, 6}), {}, {.padding = 1}).shape() == Shape{1, 4, 2, 2});
  usage([&] { conv_transpose2d(zeros({2, 5, 5}), w); }, "conv_transpose2d", "got (2, 5, 5)");
  usage([&] { conv_transpose2d(x, w); }, "conv_transpose2d", "(4, 2, 3, 3)");
  usage(
      [&] {
        conv_transpose2d(zeros({1, 4, 2, 2}), w, {}, {.output_padding = 1});
      },
      "conv_transpose2d", "output_padding");
  usage([&] { conv_transpose2d(zeros({1, 4, 1, 1}), w, {}, {.padding = 2}); }, "conv_transpose2d", "padding");
  usage([&] { conv_transpose2d(zeros({1, 4, 2, 2}), w, zeros({4})); }, "conv_transpose2d", "bias");
}
