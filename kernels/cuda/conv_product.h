#pragma once
/// @file conv_product.h
/// Products of conv_chain.h within a block.

#include "conv_chain.h"
#include "warp.h"

namespace uncial::cuda {

/// Offset into x of what filter place (0, 0) sees for row m of a product; rows behind the last see the last.
UNCIAL_BODY inline int row_offset(const ConvProduct& p, int m) {
  int h, w;
  if (p.windows) {
    const int half = p.width / 2, last = p.rows() / 4 - 1, place = m % 32 / 8;
    int window = m / 32 * 8 + m % 8;
    window = window < last ? window : last;
    h = window / half * 2 + place / 2, w = window % half * 2 + place % 2;
  } else {
    const int last = p.rows() - 1;
    m = m < last ? m : last;
    h = m / p.width, w = m % p.width;
  }
  return p.x.of(h * p.taps.stride + p.taps.origin, w * p.taps.stride + p.taps.origin);
}

/// Table of where the pixels of an image lie; those behind the last lie where the last does.
UNCIAL_BODY inline void make_pixel_table(const Block& block, const SharedImage& x, int at, int count) {
  int* pixels = block.memory<int>(4 * int64_t(at));
  const int last = x.height * x.width - 1;
  block.each_thread([&](int t) {
    for (int i = t; i < count; i += block.threads) {
      const int pixel = i < last ? i : last;
      pixels[i] = x.of(pixel / x.width, pixel % x.width);
    }
  });
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
  move_ahead(
      block, p.packed_words() / 4, [&](int i) { return from[i]; },
      [&](int i, const Vector16& v) { to[i] = v; });
}

/// finish(warp, above, below, m, n) for all blocks of twice 16 rows and 8 filters of x * w + bias(n).
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
          warp.load_rows(
              a[i], [&](int row, int h) { return shared + rows[m + 16 * i + row] + units[2 * step + h]; });
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
      for (int j = 0; j < kTiles; ++j) finish(warp, sums[0][j], sums[1][j], m, (tile + j) * 8);
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

UNCIAL_BODY inline void make_first_tables(const Block& block, const FirstImage& f, const SharedImage& image) {
  if (!f.taps_are_channels) return;
  int *rows = block.memory<int>(4 * int64_t(f.rows_at)), *taps = block.memory<int>(4 * int64_t(f.taps_at));
  const int C = int(f.e.C), S = int(f.e.S), stride = int(f.e.stride), dilation = int(f.e.dilation);
  block.each_thread([&](int t) {
    for (int i = t; i < image.height * image.width; i += block.threads)
      rows[i] = i / image.width * stride * f.columns() + i % image.width * stride;
    for (int i = t; i < image.channels; i += block.threads) {
      const int tap = i / C;
      taps[i] = tap < int(f.e.R) * S ? i % C * f.plane() + (tap / S * f.columns() + tap % S) * dilation : -1;
    }
  });
}

/// Sample x (C, H, W) as the image of a first layer. What lies around it is zero already.
UNCIAL_BODY inline void load_first(const Block& block, const FirstImage& f, const SharedImage& image,
                                   const float* x) {
  auto* shared = block.memory<Bfloat16>();
  const int size = int(f.e.C * f.e.H * f.e.W), padding = int(f.e.padding);
  auto* staged = shared + f.staged_at;
  move_ahead<4>(
      block, size, [&](int i) { return x[i]; },
      [&](int i, float value) {
        const int line = f.by_width.quotient(i), w = f.by_width.remainder(i, line);
        const int c = f.by_plane.quotient(i), h = line - c * int(f.e.H);
        if (f.taps_are_channels)
          staged[c * f.plane() + (h + padding) * f.columns() + w + padding] = to_bfloat16(value);
        else
          shared[image.of(h, w) + c] = to_bfloat16(value);
      });
  if (!f.taps_are_channels) return;
  const int *rows = block.memory<int>(4 * int64_t(f.rows_at)),
            *taps = block.memory<int>(4 * int64_t(f.taps_at));
  block.each_thread([&](int t) {
    for (int i = t; i < image.height * image.width * (image.channels / 2); i += block.threads) {
      const int pixel = f.by_pairs.quotient(i), first = 2 * f.by_pairs.remainder(i, pixel);
      const int row = rows[pixel], a = taps[first], b = taps[first + 1];
      const uint32_t low = a < 0 ? 0 : staged[row + a], high = b < 0 ? 0 : staged[row + b];
      *reinterpret_cast<uint32_t*>(shared + image.at + pixel * image.pitch + first) = low | high << 16;
    }
  });
}

/// Zeros around a staged sample.
UNCIAL_BODY inline void clear_staged(const Block& block, const FirstImage& f) {
  if (!f.taps_are_channels || f.e.padding == 0) return;
  block.each_thread([&](int t) {
    for (int i = t; i < f.staged(); i += block.threads) block.memory<Bfloat16>()[f.staged_at + i] = 0;
  });
}

}  // namespace uncial::cuda
