#include "conv_product.h"
#include "uncial/kernels/dropout.h"

namespace uncial::cuda {
namespace {

UNCIAL_BODY inline float activated(const ForwardLayer& l, float value) {
  return l.relu && value < 0 ? 0.0f : value;
}
UNCIAL_BODY inline uint32_t code_of(const ForwardLayer& l, const Largest& v) {
  return l.relu && v.value <= 0 ? kDead : uint32_t(v.place);
}

/// What comes out of a layer inside the chain goes to the next layer's image.
template <class Format>
struct IntoImage {
  const ForwardLayer& l;
  uint16_t* shared;
  const int* pixels;  ///< where they lie
  uint8_t* codes;     ///< of this sample; or null

  template <int kTiles>
  UNCIAL_INLINED_BODY void operator()(const Warp& warp, const FragmentC (&sums)[2][kTiles], int row,
                                      int tile) const {
    if (l.product.windows) return windows(warp, sums, row / 4, tile);
    OfRows<int> at[2];
    UNCIAL_UNROLL
    for (int i = 0; i < 2; ++i) set_rows(warp, at[i], [&](int m) { return place_of(row + 16 * i + m); });
    UNCIAL_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      if ((tile + j) * 8 >= l.y.channels) return;
      UNCIAL_UNROLL
      for (int i = 0; i < 2; ++i)
        warp.each_pair(sums[i][j], [&](int m, int n, float first, float second) {
          put(of_row(at[i], m), (tile + j) * 8 + n, first, second);
        });
    }
  }
  template <int kTiles>
  UNCIAL_INLINED_BODY void windows(const Warp& warp, const FragmentC (&sums)[2][kTiles], int window,
                                   int tile) const {
    OfRows<int> at;
    set_rows(warp, at, [&](int w) { return place_of(window + w); });
    UNCIAL_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      if ((tile + j) * 8 >= l.y.channels) return;
      const int tile_at = (tile + j) * 8;
      warp.each_largest(sums[0][j], sums[1][j],
                        [&](int w, int n, const Largest& first, const Largest& second) {
                          put(of_row(at, w), tile_at + n, first.value, second.value);
                          const uint32_t both = code_of(l, first) | code_of(l, second) << 8;
                          if (codes && of_row(at, w) >= 0)
                            *reinterpret_cast<uint16_t*>(codes + (window + w) * l.y.channels + tile_at + n) =
                                uint16_t(both);
                        });
    }
  }
  UNCIAL_BODY int place_of(int pixel) const {
    return pixel < l.out_height * l.out_width ? pixels[pixel] : -1;
  }
  UNCIAL_BODY void put(int at, int column, float first, float second) const {
    const uint32_t both = Format::pair(activated(l, first), activated(l, second));
    if (at >= 0) *reinterpret_cast<uint32_t*>(shared + at + column) = both;
  }
};

/// What comes out of the last layer is staged filter by filter, with rows that are no pixels.
struct IntoStaging {
  const ForwardLayer& l;
  int pitch;
  float* y;
  uint8_t* codes;

  template <int kTiles>
  UNCIAL_INLINED_BODY void operator()(const Warp& warp, const FragmentC (&sums)[2][kTiles], int row,
                                      int tile) const {
    // Code that runs comes from memory the first time: whole loops for one case lie together.
    if (l.product.windows) {
      UNCIAL_UNROLL
      for (int j = 0; j < kTiles; ++j)
        warp.each_largest(sums[0][j], sums[1][j],
                          [&](int w, int n, const Largest& first, const Largest& second) {
                            const int at = ((tile + j) * 8 + n) * pitch + row / 4 + w;
                            put(at, first);
                            put(at + pitch, second);
                          });
      return;
    }
    UNCIAL_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      UNCIAL_UNROLL
      for (int i = 0; i < 2; ++i)
        warp.each_pair(sums[i][j], [&](int m, int n, float first, float second) {
          const int at = ((tile + j) * 8 + n) * pitch + row + 16 * i + m;
          put(at, {first, 0});
          put(at + pitch, {second, 0});
        });
    }
  }
  UNCIAL_BODY void put(int at, const Largest& v) const {
    const bool dead = l.relu && v.value <= 0;
    y[at] = dead ? 0.0f : v.value;
    codes[at] = dead ? kDead : uint8_t(v.place);
  }
};

template <class Format, int kMostTiles>
struct Forward {
  ForwardChain chain;

  UNCIAL_BODY void prepare(const Block& block) const {
    for (int i = 0; i < chain.layers; ++i) {
      const ForwardLayer& l = chain.layer[i];
      make_tables(block, l.product);
      const bool first_image = i == 0 && !chain.first.gathered;
      if (l.product.x.halo > 0 || first_image) clear(block, l.product.x);
      if (i + 1 < chain.layers) make_pixel_table(block, l.y, l.y_rows_at, l.out_height * l.out_width);
    }
  }
  UNCIAL_BODY void operator()(const Block& block) const {
    start_first(block, chain.first, sample_of(block.index));
    for (int i = 0; i < chain.layers; ++i) {
      const ForwardLayer& l = chain.layer[i];
      start_weights(block, l.product);
      float* bias = block.memory<float>(4 * int64_t(l.bias_at));
      each_thread_without_waiting(block, [&](int t) {
        for (int k = t; k < l.product.filter_tiles * 8; k += block.threads)
          bias[k] = l.bias && k < l.filters ? l.bias[k] : 0.0f;
      });
    }
    for (int64_t n = block.index; n < chain.N; n += chain.blocks) sample(block, n);
  }
  UNCIAL_INLINED_BODY void sample(const Block& block, int64_t n) const {
    wait_for_copies(block);
    place_first<Format>(block, chain.first, chain.layer[0].product.x);
    wait(block);
    if (n + chain.blocks < chain.N) start_first(block, chain.first, sample_of(n + chain.blocks));
    // The last phase that reads the stream of the sample before lies behind.
    each_thread_without_waiting(block, [&](int t) {
      const ChainDropout& d = chain.dropout;
      if (t == 0 && d.state)
        *block.memory<RandomStream>(4 * int64_t(chain.stream_at)) =
            DropoutMask::of(d.state, d.threshold).row(d.samples[n]);
    });
    for (int i = 0; i + 1 < chain.layers; ++i) inside(block, chain.layer[i], i == 0, n);
    last(block, chain.layer[chain.layers - 1], chain.layers == 1, n);
  }
  UNCIAL_BODY const float* sample_of(int64_t n) const {
    const ConvExtents& e = chain.first.e;
    return chain.x + n * e.C * e.H * e.W;
  }
  template <class Finish>
  UNCIAL_INLINED_BODY void product(const Block& block, const ForwardLayer& l, bool first,
                                   Finish finish) const {
    const auto bias = [&](int filter) { return block.memory<float>(4 * int64_t(l.bias_at))[filter]; };
    if (first && l.product.gathered)
      multiply<Format, kMostTiles, true>(block, l.product, bias, finish);
    else
      multiply<Format, kMostTiles, false>(block, l.product, bias, finish);
  }
  UNCIAL_INLINED_BODY void inside(const Block& block, const ForwardLayer& l, bool is_first, int64_t n) const {
    const int pixels = l.out_height * l.out_width, vectors = l.y.channels / 8;
    const int64_t first = n * pixels * l.y.channels;
    const int* places = block.memory<int>(4 * int64_t(l.y_rows_at));
    product(block, l, is_first,
            IntoImage<Format>{l, block.memory<uint16_t>(), places, l.codes ? l.codes + first : nullptr});
    if (!l.kept) return;
    auto* to = reinterpret_cast<Vector16*>(l.kept + first);
    // Nobody writes what this reads before the next sample's phases.
    each_thread_without_waiting(block, [&](int t) {
      for (int i = t; i < pixels * vectors; i += block.threads) {
        const int pixel = l.by_vectors.quotient(i);
        const int at = places[pixel] + l.by_vectors.remainder(i, pixel) * 8;
        to[i] = *block.memory<Vector16>(2 * int64_t(at));
      }
    });
  }
  UNCIAL_INLINED_BODY void last(const Block& block, const ForwardLayer& l, bool is_first, int64_t n) const {
    const int pixels = l.out_height * l.out_width, size = l.filters * pixels;
    float* staged = block.memory<float>(4 * int64_t(chain.staging_at));
    auto* staged_codes =
        reinterpret_cast<uint8_t*>(staged + l.product.filter_tiles * 8 * chain.staging_pitch);
    product(block, l, is_first, IntoStaging{l, chain.staging_pitch, staged, staged_codes});
    float* y = chain.y + n * size;
    uint8_t* codes = l.codes ? l.codes + n * size : nullptr;
    each_thread_without_waiting(block, [&](int t) {
      const RandomStream& stream = *block.memory<RandomStream>(4 * int64_t(chain.stream_at));
      for (int i = 4 * t; i < size; i += 4 * block.threads) {
        Four four;
        if (pixels % 4 == 0) {
          const int at = staged_at(i);
          four = {*reinterpret_cast<const Float4*>(staged + at),
                  *reinterpret_cast<const uint32_t*>(staged_codes + at)};
          finish(four, stream, i);
          *reinterpret_cast<Float4*>(y + i) = four.values;
          if (codes) *reinterpret_cast<uint32_t*>(codes + i) = four.codes;
          continue;
        }
        four.codes = 0;
        UNCIAL_UNROLL
        for (int j = 0; j < 4; ++j) {
          const int at = staged_at(i + j < size ? i + j : i);
          four.values.v[j] = staged[at], four.codes |= uint32_t(staged_codes[at]) << 8 * j;
        }
        finish(four, stream, i);
        UNCIAL_UNROLL
        for (int j = 0; j < 4; ++j) {
          if (i + j >= size) break;
          y[i + j] = four.values.v[j];
          if (codes) codes[i + j] = uint8_t(four.codes >> 8 * j);
        }
      }
    });
  }
  UNCIAL_BODY int staged_at(int i) const {
    const int filter = chain.by_pixels.quotient(i);
    return filter * chain.staging_pitch + chain.by_pixels.remainder(i, filter);
  }
  /// Four values that one draw of random words decides on.
  struct Four {
    Float4 values;
    uint32_t codes;
  };
  UNCIAL_BODY void finish(Four& four, const RandomStream& stream, int i) const {
    const ChainDropout& d = chain.dropout;
    if (d.state) {
      const auto words = stream.block(uint64_t(i / 4));
      UNCIAL_UNROLL
      for (int j = 0; j < 4; ++j) {
        const bool drop = words[size_t(j)] < d.threshold;
        four.values.v[j] = drop ? 0.0f : four.values.v[j] * d.scale;
        if (drop) four.codes = (four.codes & ~(0xffu << 8 * j)) | uint32_t(kDead) << 8 * j;
      }
    }
    if (!chain.round_y) return;
    UNCIAL_UNROLL
    for (float& v : four.values.v) v = Format::rounded(v);
  }
};

template <class Format>
void run_in(const ForwardChain& chain) {
  with_threads(chain.threads * chain.resident, [&](auto threads) {
    constexpr int kThreads = threads();
    each_block<kThreads>(chain.blocks, chain.threads, chain.shared_bytes,
                         Forward<Format, most_tiles(kThreads)>{chain}, "conv_chain");
  });
}

}  // namespace

void run(const ForwardChain& chain) {
  chain.precision == Precision::fp16 ? run_in<Float16Format>(chain) : run_in<Bfloat16Format>(chain);
}

}  // namespace uncial::cuda
