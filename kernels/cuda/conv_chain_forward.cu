#include "conv_product.h"
#include "uncial/kernels/dropout.h"

namespace uncial::cuda {
namespace {

/// What comes out of a layer inside the chain goes to the next layer's image.
struct IntoImage {
  const ForwardLayer& l;
  Bfloat16* shared;
  const int* pixels;  ///< where they lie
  uint8_t* codes;     ///< of this sample; or null

  UNCIAL_BODY void operator()(const Warp& warp, const FragmentC& above, const FragmentC& below, int row,
                              int column) const {
    const int count = l.out_height * l.out_width;
    if (l.product.windows) {
      warp.each_largest(above, below, [&](int w, int n, const Largest& first, const Largest& second) {
        const int window = row / 4 + w;
        if (window < count && column + n < l.y.channels) put(window, column + n, first, second);
      });
      return;
    }
    const auto store = [&](int m, int n, float first, float second) {
      if (m < count && n < l.y.channels) put(m, n, {first, 0}, {second, 0});
    };
    warp.each_pair(above, [&](int m, int n, float a, float b) { store(row + m, column + n, a, b); });
    warp.each_pair(below, [&](int m, int n, float a, float b) { store(row + 16 + m, column + n, a, b); });
  }
  UNCIAL_BODY float activated(float value) const { return l.relu && value < 0 ? 0.0f : value; }
  UNCIAL_BODY uint8_t code(const Largest& v) const {
    return l.relu && v.value <= 0 ? kDead : uint8_t(v.place);
  }
  UNCIAL_BODY void put(int pixel, int column, const Largest& first, const Largest& second) const {
    *reinterpret_cast<uint32_t*>(shared + pixels[pixel] + column) =
        bfloat16_pair(activated(first.value), activated(second.value));
    if (codes && l.product.windows)
      *reinterpret_cast<uint16_t*>(codes + pixel * l.y.channels + column) =
          uint16_t(code(first) | code(second) << 8);
  }
};

/// What comes out of the last layer is staged filter by filter.
struct IntoStaging {
  const ForwardLayer& l;
  float* y;
  uint8_t* codes;

  UNCIAL_BODY void operator()(const Warp& warp, const FragmentC& above, const FragmentC& below, int row,
                              int column) const {
    if (l.product.windows) {
      warp.each_largest(above, below, [&](int w, int n, const Largest& first, const Largest& second) {
        put(row / 4 + w, column + n, first);
        put(row / 4 + w, column + n + 1, second);
      });
      return;
    }
    const auto store = [&](int m, int n, float first, float second) {
      put(m, n, {first, 0});
      put(m, n + 1, {second, 0});
    };
    warp.each_pair(above, [&](int m, int n, float a, float b) { store(row + m, column + n, a, b); });
    warp.each_pair(below, [&](int m, int n, float a, float b) { store(row + 16 + m, column + n, a, b); });
  }
  UNCIAL_BODY void put(int pixel, int filter, const Largest& v) const {
    const int pixels = l.out_height * l.out_width;
    if (pixel >= pixels || filter >= l.filters) return;
    const bool dead = l.relu && v.value <= 0;
    y[filter * pixels + pixel] = dead ? 0.0f : v.value;
    codes[filter * pixels + pixel] = dead ? kDead : uint8_t(v.place);
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
      if (i + 1 < chain.layers) make_pixel_table(block, l.y, l.y_rows_at, l.out_height * l.out_width);
    }
    make_first_tables(block, chain.first, chain.layer[0].product.x);
    clear_staged(block, chain.first);
    for (int64_t n = block.index; n < chain.N; n += chain.blocks) sample(block, n);
  }
  UNCIAL_BODY void sample(const Block& block, int64_t n) const {
    const ConvExtents& e = chain.first.e;
    load_first(block, chain.first, chain.layer[0].product.x, chain.x + n * e.C * e.H * e.W);
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
        IntoImage{l, block.memory<Bfloat16>(), block.memory<int>(4 * int64_t(l.y_rows_at)),
                  l.codes ? l.codes + first : nullptr});
    if (!l.kept) return;
    auto* to = reinterpret_cast<Vector16*>(l.kept + first);
    block.each_thread([&](int t) {
      for (int i = t; i < pixels * vectors; i += block.threads) {
        const int pixel = l.by_vectors.quotient(i);
        const int at =
            block.memory<int>(4 * int64_t(l.y_rows_at))[pixel] + l.by_vectors.remainder(i, pixel) * 8;
        to[i] = *block.memory<Vector16>(2 * int64_t(at));
      }
    });
  }
  UNCIAL_BODY void last(const Block& block, const ForwardLayer& l, int64_t n) const {
    const int size = l.filters * l.out_height * l.out_width;
    float* staged = block.memory<float>(4 * int64_t(chain.staging_at));
    auto* staged_codes = reinterpret_cast<uint8_t*>(staged + (size + 3) / 4 * 4);
    multiply(
        block, l.product, [&](int filter) { return bias_of(l, filter); },
        IntoStaging{l, staged, staged_codes});
    float* y = chain.y + n * size;
    uint8_t* codes = l.codes ? l.codes + n * size : nullptr;
    block.each_thread([&](int t) {
      for (int i = 4 * t; i < size; i += 4 * block.threads) write(staged, staged_codes, i, size, n, y, codes);
    });
  }
  /// Four places, which one draw of random words decides on.
  UNCIAL_BODY void write(const float* staged, const uint8_t* staged_codes, int i, int size, int64_t n,
                         float* y, uint8_t* codes) const {
    Float4 four = *reinterpret_cast<const Float4*>(staged + i);
    uint32_t four_codes = *reinterpret_cast<const uint32_t*>(staged_codes + i);
    const ChainDropout& d = chain.dropout;
    if (d.state) {
      const auto words = DropoutMask::of(d.state, d.threshold).row(d.samples[n]).block(uint64_t(i / 4));
      UNCIAL_UNROLL
      for (int j = 0; j < 4; ++j) {
        const bool drop = words[size_t(j)] < d.threshold;
        four.v[j] = drop ? 0.0f : four.v[j] * d.scale;
        if (drop) four_codes = (four_codes & ~(0xffu << 8 * j)) | uint32_t(kDead) << 8 * j;
      }
    }
    if (chain.round_y) {
      UNCIAL_UNROLL
      for (float& v : four.v) v = formula::rounded_to_bfloat16(v);
    }
    if (size % 4 == 0) {
      *reinterpret_cast<Float4*>(y + i) = four;
      if (codes) *reinterpret_cast<uint32_t*>(codes + i) = four_codes;
      return;
    }
    for (int j = 0; j < 4 && i + j < size; ++j) {
      y[i + j] = four.v[j];
      if (codes) codes[i + j] = uint8_t(four_codes >> 8 * j);
    }
  }
};

}  // namespace

void run(const ForwardChain& chain) {
  each_block<kChainThreads>(chain.blocks, chain.threads, chain.shared_bytes, Forward{chain}, "conv_chain");
}

}  // namespace uncial::cuda
