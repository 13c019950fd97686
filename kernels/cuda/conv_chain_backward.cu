#include "conv_product.h"
#include "conv_weight_gradient.h"

namespace uncial::cuda {
namespace {

/// Two factors at `at`, or each in one place of its window of 2x2 and zeros in the others; kDead
/// is in none.
UNCIAL_BODY inline void spread(const SharedImage& image, uint16_t* at, uint32_t both, uint32_t first_code,
                               uint32_t second_code) {
  UNCIAL_UNROLL
  for (uint32_t place = 0; place < 4; ++place)
    *reinterpret_cast<uint32_t*>(at + (int(place / 2) * image.columns() + int(place % 2)) * image.pitch) =
        (first_code == place ? both & 0xffffu : 0) | (second_code == place ? both & 0xffff0000u : 0);
}

/// dx, which a product made, as dy of the layer before: 0 where its activation was, or spread over the
/// windows of its pooling.
template <class Format>
struct IntoPrevious {
  const BackwardLayer& l;
  SharedImage dy;  ///< of the layer before
  uint16_t* shared;
  const int *to, *x;     ///< tables
  const uint8_t* codes;  ///< of this sample; or null

  template <int kTiles>
  UNCIAL_INLINED_BODY void operator()(const Warp& warp, const FragmentC (&sums)[2][kTiles], int row,
                                      int tile) const {
    if (codes)
      each(warp, sums, row, tile, [&](int pixel, int, int to, int channel, uint32_t both) {
        const uint32_t code = *reinterpret_cast<const uint16_t*>(codes + pixel * l.x.channels + channel);
        if (to >= 0) spread(dy, shared + to, both, code & 0xff, code >> 8);
      });
    else if (l.mask_by_x)
      each(warp, sums, row, tile, [&](int, int seen, int to, int, uint32_t both) {
        // Only where dy goes: for rows behind the last, others may be writing there.
        const uint32_t mask = to >= 0 ? *reinterpret_cast<const uint32_t*>(shared + seen) : 0;
        const uint32_t kept = (Format::above_zero(uint16_t(mask)) ? both & 0xffffu : 0) |
                              (Format::above_zero(uint16_t(mask >> 16)) ? both & 0xffff0000u : 0);
        if (to >= 0) *reinterpret_cast<uint32_t*>(shared + to) = kept;
      });
    else
      each(warp, sums, row, tile, [&](int, int, int to, int, uint32_t both) {
        if (to >= 0) *reinterpret_cast<uint32_t*>(shared + to) = both;
      });
  }
  /// put(pixel, where x is, where dy goes or -1, channel, both) for all pairs of channels.
  template <int kTiles, class Put>
  UNCIAL_INLINED_BODY void each(const Warp& warp, const FragmentC (&sums)[2][kTiles], int row, int tile,
                                Put put) const {
    const int rows = l.product.rows();
    OfRows<int> targets[2], seen[2];
    UNCIAL_UNROLL
    for (int i = 0; i < 2; ++i) {
      const int first = row + 16 * i;
      set_rows(warp, targets[i], [&](int m) { return first + m < rows ? to[first + m] : -1; });
      set_rows(warp, seen[i], [&](int m) { return x[first + m < rows ? first + m : 0]; });
    }
    UNCIAL_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      const int column = (tile + j) * 8;
      if (column >= l.x.channels) return;
      UNCIAL_UNROLL
      for (int i = 0; i < 2; ++i)
        warp.each_pair(sums[i][j], [&](int m, int n, float first, float second) {
          const int pixel = row + 16 * i + m, to = of_row(targets[i], m);
          put(pixel < rows ? pixel : 0, of_row(seen[i], m) + column + n, to < 0 ? to : to + column + n,
              column + n, Format::pair(first, second));
        });
    }
  }
};

template <class Format>
struct Backward {
  BackwardChain chain;

  UNCIAL_BODY void prepare(const Block& block) const {
    const BackwardLayer &first = chain.layer[0], &last = chain.layer[chain.layers - 1];
    if (chain.first.gathered && first.x.halo > 0) clear(block, first.x);
    if (chain.roomy) {
      const int windows = chain.pooled ? 2 : 1;
      clear_around(block, last.dy, last.height / windows * windows, last.width / windows * windows);
    }
    for (int i = 0; i < chain.layers; ++i) make_tables_of(block, chain.layer[i]);
  }
  UNCIAL_BODY void operator()(const Block& block) const {
    const BackwardLayer& last = chain.layer[chain.layers - 1];
    start_first(block, chain.first, sample_of(block.index));
    if (chain.layers > 1) start_layer(block, last, block.index);
    if (chain.roomy) load_dy(block, last, block.index);
    for (int64_t n = block.index; n < chain.N; n += chain.blocks) sample(block, n, n == block.index);
  }
  UNCIAL_BODY const float* sample_of(int64_t n) const {
    const ConvExtents& e = chain.first.e;
    return chain.x + n * e.C * e.H * e.W;
  }
  /// Pixels behind the last see an image's first halo or padding element with dy of zero: see plan().
  UNCIAL_BODY void make_tables_of(const Block& block, const BackwardLayer& l) const {
    const bool gathered = !l.has_input_gradient && chain.first.gathered;
    if (!gathered) make_pixel_table(block, l.x, l.x_pixels_at, l.x.height * l.x.width);
    make_unit_table(block, l.x, l.taps, l.x_units_at, gathered);
    if (l.has_input_gradient) {
      make_tables(block, l.product);
      if (!l.dy_takes_x) make_dx_table(block, l, chain.layer[&l - chain.layer - 1].dy);
    }
    int *x_rows = block.memory<int>(4 * int64_t(l.x_rows_at)),
        *dy_rows = block.memory<int>(4 * int64_t(l.dy_rows_at));
    each_thread_without_waiting(block, [&](int t) {
      for (int m = t; m < 16 * l.steps(); m += block.threads) {
        const int h = l.dy.by_width.quotient(m), w = l.dy.by_width.remainder(m, h);
        const bool inside = m < l.pixels();
        dy_rows[m] = inside ? l.dy.of(h, w) : chain.zeros_at;
        x_rows[m] = inside ? l.x.of(h * l.taps.stride + l.taps.origin, w * l.taps.stride + l.taps.origin)
                           : l.x.of(l.taps.origin, l.taps.origin);
      }
      for (int i = t; i < chain.zeros; i += block.threads) block.memory<uint16_t>()[chain.zeros_at + i] = 0;
    });
  }

  UNCIAL_BODY void make_dx_table(const Block& block, const BackwardLayer& l, const SharedImage& dy) const {
    int* rows = block.memory<int>(4 * int64_t(l.dx_rows_at));
    const int side = l.pooled_before ? 2 : 1;
    each_thread_without_waiting(block, [&](int t) {
      for (int i = t; i < l.product.rows(); i += block.threads) {
        const int h = l.product.by_columns.quotient(i);
        rows[i] = dy.of(side * h, side * l.product.by_columns.remainder(i, h));
      }
    });
  }

  /// With its dy, x and weights there or on their way, and with those of the block's next sample then.
  UNCIAL_INLINED_BODY void sample(const Block& block, int64_t n, bool first_sample) const {
    const int last = chain.layers - 1;
    const int64_t next = n + chain.blocks;
    if (!chain.roomy) {
      clear(block, chain.layer[last].dy);
      wait(block);
      load_dy(block, chain.layer[last], n);
    }
    wait_for_copies(block);
    if (chain.first.gathered) {
      place_first<Format>(block, chain.first, chain.layer[0].x);
      if (last == 0) wait(block);
    }
    for (int i = last; i >= 0; --i) {
      const BackwardLayer& l = chain.layer[i];
      if (i == 0 && !chain.first.gathered) {
        clear(block, l.x);
        wait(block);
        place_first<Format>(block, chain.first, l.x);
        wait(block);
      }
      if (i > 0 && i < last) {
        start_layer(block, l, n);
        wait_for_copies(block);
      }
      // A chain's last dy has been used here, and its memory is its own.
      if (i == 0 && last > 0 && chain.roomy && next < chain.N) load_dy(block, chain.layer[last], next);
      if (i == 0 && chain.first.gathered)
        weight_gradient<Format, true>(block, l, first_sample);
      else
        weight_gradient<Format, false>(block, l, first_sample);
      if (i > 0) input_gradient(block, l, chain.layer[i - 1]);
    }
    if (next >= chain.N) return;
    if (last == 0 && chain.roomy) load_dy(block, chain.layer[0], next);
    start_first(block, chain.first, sample_of(next));
    if (last > 0) start_layer(block, chain.layer[last], next);
  }
  /// What a layer but the first needs besides its dy.
  UNCIAL_INLINED_BODY void start_layer(const Block& block, const BackwardLayer& l, int64_t n) const {
    if (chain.roomy) start_weights(block, l.product);
    const int pixels = l.x.height * l.x.width, vectors = l.x.channels / 8;
    const auto* from = reinterpret_cast<const Vector16*>(l.kept + n * pixels * l.x.channels);
    each_thread_without_waiting(block, [&](int t) {
      for (int i = t; i < pixels * vectors; i += block.threads) {
        const int pixel = l.by_vectors.quotient(i), h = l.x.by_width.quotient(pixel);
        const int at = l.x.of(h, l.x.by_width.remainder(pixel, h)) + l.by_vectors.remainder(i, pixel) * 8;
        start_copy<16>(block.memory<Vector16>(2 * int64_t(at)), from + i);
      }
      if (!l.codes) return;
      const uint8_t* codes = l.codes + n * pixels * l.x.channels;
      for (int i = t; i < pixels * vectors; i += block.threads)
        start_copy<8>(block.memory<uint8_t>(l.codes_at + 8 * int64_t(i)), codes + 8 * i);
    });
    if (l.x.halo > 0) clear_around(block, l.x, l.x.height, l.x.width);
  }

  /// The gradient of what came out of the chain, spread over the windows of a pooling. A warp takes 8 pixels
  /// of kDyFilters filters: whole sectors of memory, and places in shared memory of which two share a bank.
  UNCIAL_INLINED_BODY void load_dy(const Block& block, const BackwardLayer& l, int64_t n) const {
    const int width = chain.pooled ? l.width / 2 : l.width,
              pixels = width * (chain.pooled ? l.height / 2 : l.height);
    const int items = (pixels + 7) / 8 * int(chain.by_groups.divisor);
    const int64_t first = n * l.filters * pixels;
    const float* dy = chain.dy + first;
    const uint8_t* codes = chain.codes ? chain.codes + first : nullptr;
    auto* shared = block.memory<uint16_t>();
    each_thread_without_waiting(block, [&](int t) {
      for (int item = t / kWarp; item < items; item += block.threads / kWarp) {
        const int group = chain.by_groups.quotient(item), pixel = group * 8 + t / 4 % 8;
        const int filter = chain.by_groups.remainder(item, group) * kDyFilters + t % 4 * 2;
        constexpr int kPairs = kDyFilters / 8;
        float values[kPairs][2];
        uint32_t places[kPairs][2];
        UNCIAL_UNROLL
        for (int i = 0; i < 2 * kPairs; ++i) {
          const int f = filter + i / 2 * 8 + i % 2, at = f * pixels + pixel;
          const bool inside = pixel < pixels && f < l.filters;
          values[i / 2][i % 2] = inside ? dy[at] : 0.0f;
          places[i / 2][i % 2] = inside && codes ? codes[at] : 0;
        }
        if (pixel >= pixels) continue;
        const int h = chain.by_width.quotient(pixel), w = chain.by_width.remainder(pixel, h);
        uint16_t* to = shared + (chain.pooled ? l.dy.of(2 * h, 2 * w) : l.dy.of(h, w)) + filter;
        UNCIAL_UNROLL
        for (int i = 0; i < kPairs; ++i) {
          if (filter + 8 * i >= l.dy.channels) break;
          const uint32_t both = Format::pair(values[i][0] * chain.scale, values[i][1] * chain.scale);
          if (chain.pooled)
            spread(l.dy, to + 8 * i, both, places[i][0], places[i][1]);
          else
            *reinterpret_cast<uint32_t*>(to + 8 * i) = (places[i][0] == kDead ? 0 : both & 0xffffu) |
                                                       (places[i][1] == kDead ? 0 : both & 0xffff0000u);
        }
      }
    });
  }
  UNCIAL_INLINED_BODY void input_gradient(const Block& block, const BackwardLayer& l,
                                          const BackwardLayer& before) const {
    if (!chain.roomy) start_weights(block, l.product);
    // What the product does not write of dy.
    const bool odd = l.pooled_before && (before.height % 2 != 0 || before.width % 2 != 0);
    const bool gaps = !l.dy_takes_x && (before.dy.halo > 0 || odd);
    if (gaps) clear(block, before.dy);
    if (!chain.roomy || gaps) wait_for_copies(block);
    const uint8_t* codes = l.codes ? block.memory<uint8_t>(l.codes_at) : nullptr;
    const int* x = block.memory<int>(4 * int64_t(l.x_pixels_at));
    const int* to = l.dy_takes_x ? x : block.memory<int>(4 * int64_t(l.dx_rows_at));
    multiply<Format, 4, false>(
        block, l.product, [](int) { return 0.0f; },
        IntoPrevious<Format>{l, before.dy, block.memory<uint16_t>(), to, x, codes});
  }
};

template <class Format>
void run_in(const BackwardChain& chain) {
  with_threads(chain.threads * chain.resident, [&](auto threads) {
    constexpr int kThreads = threads();
    each_block<kThreads>(chain.blocks, chain.threads, chain.shared_bytes, Backward<Format>{chain},
                         "conv_chain_backward");
  });
}

}  // namespace

void run(const BackwardChain& chain) {
  chain.precision == Precision::fp16 ? run_in<Float16Format>(chain) : run_in<Bfloat16Format>(chain);
}

}  // namespace uncial::cuda
