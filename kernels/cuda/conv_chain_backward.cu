#include "conv_product.h"

namespace uncial::cuda {
namespace {

/// dx, which a product made, as dy of the layer before: 0 where its activation was, or spread over the
/// windows of its pooling.
struct IntoPrevious {
  const BackwardLayer& l;
  SharedImage dy;  ///< of the layer before
  Bfloat16* shared;
  const int *to, *x;     ///< tables
  const uint8_t* codes;  ///< of this sample; or null

  UNCIAL_BODY void operator()(const Warp& warp, const FragmentC& above, const FragmentC& below, int row,
                              int column) const {
    const auto store = [&](int m, int n, float first, float second) {
      if (m < l.product.rows() && n < l.x.channels) put(m, n, first, second);
    };
    warp.each_pair(above, [&](int m, int n, float a, float b) { store(row + m, column + n, a, b); });
    warp.each_pair(below, [&](int m, int n, float a, float b) { store(row + 16 + m, column + n, a, b); });
  }
  UNCIAL_BODY void put(int pixel, int channel, float first, float second) const {
    auto* target = shared + to[pixel] + channel;
    if (!codes) {
      if (l.mask_by_x) {
        const uint32_t both = *reinterpret_cast<const uint32_t*>(shared + x[pixel] + channel);
        if (!(to_float(Bfloat16(both)) > 0)) first = 0;
        if (!(to_float(Bfloat16(both >> 16)) > 0)) second = 0;
      }
      *reinterpret_cast<uint32_t*>(target) = bfloat16_pair(first, second);
      return;
    }
    const uint32_t code = *reinterpret_cast<const uint16_t*>(codes + pixel * l.x.channels + channel);
    const uint32_t both = bfloat16_pair(first, second);
    UNCIAL_UNROLL
    for (uint32_t place = 0; place < 4; ++place)
      *reinterpret_cast<uint32_t*>(target + (int(place / 2) * dy.columns() + int(place % 2)) * dy.pitch) =
          ((code & 0xff) == place ? both & 0xffffu : 0) | (code >> 8 == place ? both & 0xffff0000u : 0);
  }
};

/// dw += dy^T x and dbias += the sum of dy, over the pixels of one sample.
template <int kRows, int kPairs>
UNCIAL_BODY void add_weight_gradient(const Block& block, const BackwardLayer& l, bool first_sample) {
  const auto* shared = block.memory<Bfloat16>();
  const int *x_rows = block.memory<int>(4 * l.x_rows_at), *dy_rows = block.memory<int>(4 * l.dy_rows_at),
            *units = block.memory<int>(4 * l.x_units_at);
  const int products = l.filter_groups * l.pair_groups, width = l.width_of_partial();
  each_warp(block, [&](const Warp& warp) {
    for (int item = warp.index; item < products * l.splits; item += block.threads / kWarp) {
      const int split = item / products, filter = item % products / l.pair_groups * kRows * 16;
      const int pair = item % l.pair_groups * kPairs;
      const int begin = l.steps() * split / l.splits, end = l.steps() * (split + 1) / l.splits;
      float* partial = l.partial + ((block.index * l.splits + split) * l.padded_filters() + filter) * width;
      const auto start = [&](FragmentC& sum, int row, int column) {
        warp.set_pairs(sum, [&](int m, int n) {
          return first_sample ? Pair{0, 0}
                              : *reinterpret_cast<const Pair*>(partial + (row + m) * width + column + n);
        });
      };
      FragmentC sums[kRows][2 * kPairs], bias[kRows];
      FragmentB ones;
      warp.fill(ones, 1);
      UNCIAL_UNROLL
      for (int i = 0; i < kRows; ++i) {
        UNCIAL_UNROLL
        for (int j = 0; j < 2 * kPairs; ++j)
          start(sums[i][j], 16 * i, (2 * pair + j < l.taps.units ? 2 * pair + j : 0) * 8);
        start(bias[i], 16 * i, l.taps.units * 8);
      }
      UNCIAL_UNROLL_2
      for (int step = begin; step < end; ++step) {
        FragmentA a[kRows];
        UNCIAL_UNROLL
        for (int i = 0; i < kRows; ++i)
          warp.load_columns(
              a[i], [&](int k, int h) { return shared + dy_rows[16 * step + k] + filter + 16 * i + 8 * h; });
        UNCIAL_UNROLL
        for (int j = 0; j < kPairs; ++j) {
          FragmentB b[2];
          warp.load_rows(b[0], b[1], [&](int k, int which) {
            const int unit = 2 * (pair + j) + which;
            return shared + x_rows[16 * step + k] + units[unit < l.taps.units ? unit : 0];
          });
          UNCIAL_UNROLL
          for (int i = 0; i < kRows; ++i) {
            warp.multiply(sums[i][2 * j], a[i], b[0]);
            warp.multiply(sums[i][2 * j + 1], a[i], b[1]);
          }
        }
        if (pair == 0) {
          UNCIAL_UNROLL
          for (int i = 0; i < kRows; ++i) warp.multiply(bias[i], a[i], ones);
        }
      }
      const auto keep = [&](const FragmentC& sum, int row, int column) {
        warp.each_pair(sum, [&](int m, int n, float first, float second) {
          *reinterpret_cast<Pair*>(partial + (row + m) * width + column + n) = {first, second};
        });
      };
      UNCIAL_UNROLL
      for (int i = 0; i < kRows; ++i) {
        UNCIAL_UNROLL
        for (int j = 0; j < 2 * kPairs; ++j)
          if (2 * pair + j < l.taps.units) keep(sums[i][j], 16 * i, (2 * pair + j) * 8);
        if (pair == 0) keep(bias[i], 16 * i, l.taps.units * 8);
      }
    }
  });
}

template <int kRows>
UNCIAL_BODY void add_weight_gradient(const Block& block, const BackwardLayer& l, bool first_sample) {
  if (l.pairs_a_warp == 1)
    add_weight_gradient<kRows, 1>(block, l, first_sample);
  else if (l.pairs_a_warp == 2)
    add_weight_gradient<kRows, 2>(block, l, first_sample);
  else
    add_weight_gradient<kRows, 3>(block, l, first_sample);
}

struct Backward {
  BackwardChain chain;

  UNCIAL_BODY void operator()(const Block& block) const {
    for (int i = 0; i < chain.layers; ++i) make_tables_of(block, chain.layer[i]);
    make_first_tables(block, chain.first, chain.layer[0].x);
    for (int64_t n = block.index; n < chain.N; n += chain.blocks) sample(block, n, n == block.index);
  }
  /// Pixels behind the last see an image's first halo or padding element with dy of zero: see plan().
  UNCIAL_BODY void make_tables_of(const Block& block, const BackwardLayer& l) const {
    make_pixel_table(block, l.x, l.x_pixels_at, l.x.height * l.x.width);
    if (l.has_input_gradient) {
      make_tables(block, l.product);
      make_dx_table(block, l, chain.layer[&l - chain.layer - 1].dy);
    }
    int *x_rows = block.memory<int>(4 * l.x_rows_at), *dy_rows = block.memory<int>(4 * l.dy_rows_at),
        *units = block.memory<int>(4 * l.x_units_at);
    block.each_thread([&](int t) {
      for (int m = t; m < 16 * l.steps(); m += block.threads) {
        const int h = m / l.width, w = m % l.width;
        const bool inside = m < l.pixels();
        dy_rows[m] = inside ? l.dy.of(h, w) : chain.zeros_at;
        x_rows[m] = inside ? l.x.of(h * l.taps.stride + l.taps.origin, w * l.taps.stride + l.taps.origin)
                           : l.x.of(l.taps.origin, l.taps.origin);
      }
      for (int u = t; u < l.taps.units; u += block.threads) units[u] = unit_offset(l.x, l.taps, u);
      for (int i = t; i < chain.zeros; i += block.threads) block.memory<Bfloat16>()[chain.zeros_at + i] = 0;
    });
  }

  UNCIAL_BODY void make_dx_table(const Block& block, const BackwardLayer& l, const SharedImage& dy) const {
    int* rows = block.memory<int>(4 * int64_t(l.dx_rows_at));
    const int side = l.pooled_before ? 2 : 1;
    block.each_thread([&](int t) {
      for (int i = t; i < l.product.rows(); i += block.threads)
        rows[i] = dy.of(side * (i / l.product.width), side * (i % l.product.width));
    });
  }

  UNCIAL_BODY void sample(const Block& block, int64_t n, bool first_sample) const {
    load_dy(block, chain.layer[chain.layers - 1], n);
    for (int i = chain.layers - 1; i >= 0; --i) {
      const BackwardLayer& l = chain.layer[i];
      if (l.x.halo > 0 || (i == 0 && !chain.first.taps_are_channels)) clear(block, l.x);
      load_x(block, l, n, i == 0);
      if (l.rows_a_warp == 1)
        add_weight_gradient<1>(block, l, first_sample);
      else
        add_weight_gradient<2>(block, l, first_sample);
      if (i > 0) input_gradient(block, l, chain.layer[i - 1], n);
    }
  }
  /// The gradient of what came out of the chain, spread over the windows of a pooling.
  UNCIAL_BODY void load_dy(const Block& block, const BackwardLayer& l, int64_t n) const {
    clear(block, l.dy);
    const int width = chain.pooled ? l.width / 2 : l.width,
              pixels = width * (chain.pooled ? l.height / 2 : l.height);
    const int64_t first = n * l.filters * pixels;
    const float* dy = chain.dy + first;
    const uint8_t* codes = chain.codes ? chain.codes + first : nullptr;
    auto* shared = block.memory<Bfloat16>();
    struct Place {
      float dy;
      uint8_t code;
    };
    move_ahead(
        block, l.filters * pixels,
        [&](int i) {
          return Place{dy[i], codes ? codes[i] : uint8_t(0)};
        },
        [&](int i, const Place& v) {
          if (v.code == kDead) return;
          const int filter = chain.by_pixels.quotient(i), pixel = chain.by_pixels.remainder(i, filter);
          const int h = chain.by_width.quotient(pixel), w = chain.by_width.remainder(pixel, h);
          const int at = chain.pooled ? l.dy.of(2 * h + v.code / 2, 2 * w + v.code % 2) : l.dy.of(h, w);
          shared[at + filter] = to_bfloat16(v.dy * chain.scale);
        });
  }
  UNCIAL_BODY void load_x(const Block& block, const BackwardLayer& l, int64_t n, bool first) const {
    if (first) {
      const ConvExtents& e = chain.first.e;
      clear_staged(block, chain.first);
      return load_first(block, chain.first, l.x, chain.x + n * e.C * e.H * e.W);
    }
    const int pixels = l.x.height * l.x.width, vectors = l.x.channels / 8;
    const auto* from = reinterpret_cast<const Vector16*>(l.kept + n * pixels * l.x.channels);
    const int* places = block.memory<int>(4 * int64_t(l.x_pixels_at));
    move_ahead(
        block, pixels * vectors, [&](int i) { return from[i]; },
        [&](int i, const Vector16& v) {
          const int pixel = l.by_vectors.quotient(i),
                    at = places[pixel] + l.by_vectors.remainder(i, pixel) * 8;
          *block.memory<Vector16>(2 * int64_t(at)) = v;
        });
  }
  UNCIAL_BODY void input_gradient(const Block& block, const BackwardLayer& l, const BackwardLayer& before,
                                  int64_t n) const {
    load_weights(block, l.product);
    if (!l.dy_takes_x) clear(block, before.dy);
    const uint8_t* codes = l.codes ? l.codes + n * l.x.height * l.x.width * l.x.channels : nullptr;
    multiply(
        block, l.product, [](int) { return 0.0f; },
        IntoPrevious{l, before.dy, block.memory<Bfloat16>(), block.memory<int>(4 * int64_t(l.dx_rows_at)),
                     block.memory<int>(4 * int64_t(l.x_pixels_at)), codes});
  }
};

}  // namespace

void run(const BackwardChain& chain) {
  each_block<kChainThreads>(chain.blocks, chain.threads, chain.shared_bytes, Backward{chain}, "conv_chain");
}

}  // namespace uncial::cuda
