#pragma once
/// @file conv_product.h
/// Products of conv_chain.h within a block.

#include "conv_chain.h"
#include "warp.h"

namespace uncial::cuda {

/// Offset into x of what filter place (0, 0) sees for row m of a product; rows behind the last see the last.
UNCIAL_BODY inline int row_offset(const ConvProduct& p, int m) {
  const int last = p.rows() - 1;
  m = m < last ? m : last;
  int h, w;
  if (p.windows) {
    const int half = p.width / 2, window = m / 4;
    h = window / half * 2 + m % 4 / 2, w = window % half * 2 + m % 2;
  } else {
    h = m / p.width, w = m % p.width;
  }
  return p.x.of(h * p.taps.stride + p.taps.origin, w * p.taps.stride + p.taps.origin);
}

/// Offset of a unit from there.
UNCIAL_BODY inline int unit_offset(const SharedImage& x, const Taps& t, int unit) {
  const int a_tap = x.channels / 8, tap = unit / a_tap;
  if (tap >= t.R * t.S) return 0;
  return (tap / t.S * x.columns() + tap % t.S) * t.dilation * x.pitch + unit % a_tap * 8;
}

UNCIAL_BODY inline void make_tables(const Block& block, const ConvProduct& p) {
  int *rows = block.memory<int>(4 * p.rows_at), *units = block.memory<int>(4 * p.units_at);
  block.each_thread([&](int t) {
    for (int m = t; m < p.padded_rows(); m += block.threads) rows[m] = row_offset(p, m);
    for (int u = t; u < p.taps.units; u += block.threads) units[u] = unit_offset(p.x, p.taps, u);
  });
}

UNCIAL_BODY inline void load_weights(const Block& block, const ConvProduct& p) {
  auto* to = block.memory<Vector16>(4 * p.weights_at);
  const auto* from = reinterpret_cast<const Vector16*>(p.weights);
  block.each_thread([&](int t) {
    for (int i = t; i < p.packed_words() / 4; i += block.threads) to[i] = from[i];
  });
}

/// finish(warp, sums, m, n) for all blocks of 16 rows and 8 filters of x * w + bias(n).
template <int kTiles, class Bias, class Finish>
UNCIAL_BODY void multiply_tiles(const Block& block, const ConvProduct& p, Bias bias, Finish finish) {
  const auto* shared = block.memory<Bfloat16>();
  const int *rows = block.memory<int>(4 * p.rows_at), *units = block.memory<int>(4 * p.units_at);
  const uint32_t* weights = block.memory<uint32_t>(4 * p.weights_at);
  const int groups = p.filter_tiles / kTiles, items = p.padded_rows() / 32 * groups;
  each_warp(block, [&](const Warp& warp) {
    for (int item = warp.index; item < items; item += block.threads / kWarp) {
      const int m = item / groups * 32, tile = item % groups * kTiles;
      FragmentC sums[2][kTiles];
      UNCIAL_UNROLL
      for (int j = 0; j < kTiles; ++j) {
        warp.set_columns(sums[0][j], [&](int n) { return bias((tile + j) * 8 + n); });
        sums[1][j] = sums[0][j];
      }
      UNCIAL_UNROLL_2
      for (int step = 0; step < p.steps(); ++step) {
        FragmentA a[2];
        UNCIAL_UNROLL
        for (int i = 0; i < 2; ++i)
          warp.load_rows(a[i], [&](int row, int h) {
            return shared + rows[m + 16 * i + row] + units[2 * step + h];
          });
        const uint32_t* packed = weights + (step * p.filter_tiles + tile) * kPackedWords;
        UNCIAL_UNROLL
        for (int j = 0; j < kTiles; ++j) {
          FragmentB b;
          warp.load_packed(b, packed + j * kPackedWords);
          warp.multiply(sums[0][j], a[0], b);
          warp.multiply(sums[1][j], a[1], b);
        }
      }
      UNCIAL_UNROLL
      for (int j = 0; j < kTiles; ++j) {
        finish(warp, sums[0][j], m, (tile + j) * 8);
        finish(warp, sums[1][j], m + 16, (tile + j) * 8);
      }
    }
  });
}

template <class Bias, class Finish>
UNCIAL_BODY void multiply(const Block& block, const ConvProduct& p, Bias bias, Finish finish) {
  if (p.tiles_a_warp == 1)
    multiply_tiles<1>(block, p, bias, finish);
  else if (p.tiles_a_warp == 2)
    multiply_tiles<2>(block, p, bias, finish);
  else if (p.tiles_a_warp == 4)
    multiply_tiles<4>(block, p, bias, finish);
  else
    multiply_tiles<8>(block, p, bias, finish);
}

/// Zeros in all of an image.
UNCIAL_BODY inline void clear(const Block& block, const SharedImage& x) {
  auto* to = block.memory<Vector16>(2 * int64_t(x.at));
  block.each_thread([&](int t) {
    for (int i = t; i < x.elements() / 8; i += block.threads) to[i] = {};
  });
}

/// Sample x (C, H, W) as the image of a first layer: its taps as channels, or as it is.
UNCIAL_BODY inline void load_first(const Block& block, const SharedImage& image, const ConvExtents& e,
                                   bool taps_are_channels, const float* x) {
  auto* shared = block.memory<Bfloat16>();
  const int C = int(e.C), H = int(e.H), W = int(e.W), S = int(e.S), taps = int(e.R) * S;
  if (!taps_are_channels) {
    block.each_thread([&](int t) {
      for (int i = t; i < C * H * W; i += block.threads)
        shared[image.of(i % (H * W) / W, i % W) + i / (H * W)] = to_bfloat16(x[i]);
    });
    return;
  }
  block.each_thread([&](int t) {
    for (int i = t; i < image.height * image.width * (image.channels / 2); i += block.threads) {
      const int pixel = i / (image.channels / 2), first = i % (image.channels / 2) * 2;
      const int p = pixel / image.width, q = pixel % image.width;
      float pair[2];
      for (int j = 0; j < 2; ++j) {
        const int tap = (first + j) / C, c = (first + j) % C;
        const int h = p * int(e.stride) - int(e.padding) + tap / S * int(e.dilation);
        const int w = q * int(e.stride) - int(e.padding) + tap % S * int(e.dilation);
        pair[j] = tap < taps && h >= 0 && h < H && w >= 0 && w < W ? x[(c * H + h) * W + w] : 0.0f;
      }
      *reinterpret_cast<uint32_t*>(shared + image.of(p, q) + first) = bfloat16_pair(pair[0], pair[1]);
    }
  });
}

}  // namespace uncial::cuda
