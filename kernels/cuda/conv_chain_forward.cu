#include "conv_product.h"
#include "uncial/kernels/dropout.h"

namespace uncial::cuda {
namespace {

/// What comes out of a layer inside the chain goes to the next layer's image.
struct IntoImage {
  const ForwardLayer& l;
  Bfloat16* shared;
  uint8_t* codes;  ///< of this sample; or null

  UNCIAL_BODY void operator()(const Warp& warp, const FragmentC& sums, int row, int column) const {
    if (l.product.windows)
      warp.each_largest_of_4(sums, [&](int window, int n, float value, int place) {
        put(row / 4 + window, column + n, value, place);
      });
    else
      warp.each_pair(sums, [&](int m, int n, float first, float second) {
        if (row + m >= l.product.rows() || column + n >= l.y.channels) return;
        const int at = l.y.of((row + m) / l.out_width, (row + m) % l.out_width) + column + n;
        *reinterpret_cast<uint32_t*>(shared + at) = bfloat16_pair(activated(first), activated(second));
      });
  }
  UNCIAL_BODY float activated(float value) const { return l.relu && value < 0 ? 0.0f : value; }
  UNCIAL_BODY void put(int window, int column, float value, int place) const {
    if (window >= l.out_height * l.out_width || column >= l.y.channels) return;
    shared[l.y.of(window / l.out_width, window % l.out_width) + column] = to_bfloat16(activated(value));
    if (codes) codes[window * l.y.channels + column] = l.relu && value <= 0 ? kDead : uint8_t(place);
  }
};

/// What comes out of the last layer is staged filter by filter.
struct IntoStaging {
  const ForwardLayer& l;
  float* y;
  uint8_t* codes;

  UNCIAL_BODY void operator()(const Warp& warp, const FragmentC& sums, int row, int column) const {
    if (l.product.windows)
      warp.each_largest_of_4(sums, [&](int window, int n, float value, int place) {
        put(row / 4 + window, column + n, value, place);
      });
    else
      warp.each_pair(sums, [&](int m, int n, float first, float second) {
        put(row + m, column + n, first, 0);
        put(row + m, column + n + 1, second, 0);
      });
  }
  UNCIAL_BODY void put(int pixel, int filter, float value, int place) const {
    const int pixels = l.out_height * l.out_width;
    if (pixel >= pixels || filter >= l.filters) return;
    const bool dead = l.relu && value <= 0;
    y[filter * pixels + pixel] = dead ? 0.0f : value;
    codes[filter * pixels + pixel] = dead ? kDead : uint8_t(place);
  }
};

struct Forward {
  ForwardChain chain;

  UNCIAL_BODY void operator()(const Block& block) const {
    for (int i = 0; i < chain.layers; ++i) {
      const ForwardLayer& l = chain.layer[i];
      make_tables(block, l.product);
      load_weights(block, l.product);
      clear(block, l.product.x);
    }
    for (int64_t n = block.index; n < chain.N; n += chain.blocks) sample(block, n);
  }
  UNCIAL_BODY void sample(const Block& block, int64_t n) const {
    const ConvExtents& e = chain.first;
    load_first(block, chain.layer[0].product.x, e, chain.taps_are_channels, chain.x + n * e.C * e.H * e.W);
    for (int i = 0; i < chain.layers - 1; ++i) inside(block, chain.layer[i], n);
    last(block, chain.layer[chain.layers - 1], n);
  }
  UNCIAL_BODY static float bias_of(const ForwardLayer& l, int filter) {
    return l.bias && filter < l.filters ? l.bias[filter] : 0.0f;
  }
  UNCIAL_BODY void inside(const Block& block, const ForwardLayer& l, int64_t n) const {
    const int pixels = l.out_height * l.out_width, vectors = l.y.channels / 8;
    const int64_t first = n * pixels * l.y.channels;
    multiply(
        block, l.product, [&](int filter) { return bias_of(l, filter); },
        IntoImage{l, block.memory<Bfloat16>(), l.codes ? l.codes + first : nullptr});
    if (!l.kept) return;
    auto* to = reinterpret_cast<Vector16*>(l.kept + first);
    block.each_thread([&](int t) {
      for (int i = t; i < pixels * vectors; i += block.threads) {
        const int pixel = i / vectors, at = l.y.of(pixel / l.out_width, pixel % l.out_width);
        to[i] = *block.memory<Vector16>(2 * int64_t(at + i % vectors * 8));
      }
    });
  }
  UNCIAL_BODY void last(const Block& block, const ForwardLayer& l, int64_t n) const {
    const int size = l.filters * l.out_height * l.out_width;
    float* staged = block.memory<float>(4 * int64_t(chain.staging_at));
    auto* staged_codes = reinterpret_cast<uint8_t*>(staged + (size + 3) / 4 * 4);
    multiply(
        block, l.product, [&](int filter) { return bias_of(l, filter); }, IntoStaging{l, staged, staged_codes});
    float* y = chain.y + n * size;
    uint8_t* codes = l.codes ? l.codes + n * size : nullptr;
    const ChainDropout& d = chain.dropout;
    block.each_thread([&](int t) {
      for (int i = 4 * t; i < size; i += 4 * block.threads) {
        const int count = size - i < 4 ? size - i : 4;
        if (d.state) {
          const auto words =
              DropoutMask::of(d.state, d.threshold).row(d.samples[n]).block(uint64_t(i / 4));
          for (int j = 0; j < count; ++j) {
            const bool drop = words[size_t(j)] < d.threshold;
            staged[i + j] = drop ? 0.0f : staged[i + j] * d.scale;
            if (drop) staged_codes[i + j] = kDead;
          }
        }
        for (int j = 0; j < count; ++j) {
          const float v = staged[i + j];
          y[i + j] = chain.round_y ? formula::rounded_to_bfloat16(v) : v;
          if (codes) codes[i + j] = staged_codes[i + j];
        }
      }
    });
  }
};

}  // namespace

void run(const ForwardChain& chain) {
  each_block<kChainThreads>(chain.blocks, chain.threads, chain.shared_bytes, Forward{chain}, "conv_chain");
}

}  // namespace uncial::cuda
