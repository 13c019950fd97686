#include "conv_shapes.h"

namespace uncial::bench {
namespace {

struct Options {
  int64_t batch = 128, kernel = 3, stride = 1, padding = 0, dilation = 1, groups = 1;
};

/// C channels of side x side to K filters.
ConvShape conv(std::string name, int64_t C, int64_t K, int64_t side, Options o) {
  const int64_t out = (side + 2 * o.padding - o.dilation * (o.kernel - 1) - 1) / o.stride + 1;
  return {
      std::move(name),
      {o.batch, C, side, side, K, o.kernel, o.kernel, out, out, o.stride, o.padding, o.dilation, o.groups}};
}

}  // namespace

const std::vector<ConvShape>& conv_shapes() {
  static const std::vector<ConvShape> shapes = {
      // MNIST nets
      conv("mnist_conv1", 1, 32, 28, {}),
      conv("mnist_conv2", 32, 64, 26, {}),
      conv("keras_conv2", 32, 64, 13, {}),
      conv("lenet_conv1", 1, 6, 28, {.kernel = 5, .padding = 2}),
      conv("lenet_conv2", 6, 16, 14, {.kernel = 5}),
      conv("mnist_conv2_batch1", 32, 64, 26, {.batch = 1}),
      // larger pictures
      conv("3x3_64_64_56", 64, 64, 56, {.batch = 16, .padding = 1}),
      conv("3x3_128_128_28", 128, 128, 28, {.batch = 16, .padding = 1}),
      conv("3x3_256_256_14", 256, 256, 14, {.batch = 16, .padding = 1}),
      conv("7x7_stride2_3_64_112", 3, 64, 112, {.batch = 16, .kernel = 7, .stride = 2, .padding = 3}),
      conv("3x3_stride2_64_128_28", 64, 128, 28, {.batch = 16, .stride = 2, .padding = 1}),
      conv("5x5_32_64_28", 32, 64, 28, {.batch = 16, .kernel = 5, .padding = 2}),
      conv("1x1_64_256_28", 64, 256, 28, {.batch = 16, .kernel = 1}),
      conv("1x1_stride2_64_128_28", 64, 128, 28, {.batch = 16, .kernel = 1, .stride = 2}),
      // odd ones
      conv("odd_3x3_17_23_19", 17, 23, 19, {.batch = 37, .padding = 1}),
      conv("odd_dilated_16_16_28", 16, 16, 28, {.batch = 32, .padding = 2, .dilation = 2}),
      conv("odd_groups4_32_64_14", 32, 64, 14, {.batch = 32, .padding = 1, .groups = 4}),
      conv("odd_depthwise_64_28", 64, 64, 28, {.batch = 32, .padding = 1, .groups = 64}),
  };
  return shapes;
}

}  // namespace uncial::bench
