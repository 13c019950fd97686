#pragma once
/// @file conv_product.h
/// Products of conv_chain.h within a block.

#include "async_copy.h"
#include "conv_chain.h"
#include "registers.h"
#include "warp_rows.h"

// Calls would keep a Block, or fragments, in memory.
#if defined(__CUDACC__)
#define UNCIAL_INLINED_BODY UNCIAL_BODY __forceinline__
#else
#define UNCIAL_INLINED_BODY inline
#endif

namespace uncial::cuda {

UNCIAL_BODY inline void wait(const Block& block) {
  block.each_thread([](int) {});
}

/// Offset into x of what filter place (0, 0) sees for row m of a product; rows behind the last see the last.
UNCIAL_BODY inline int row_offset(const ConvProduct& p, int m) {
  const int last = (p.windows ? p.rows() / 4 : p.rows()) - 1, place = p.windows ? m % 32 / 8 : 0;
  if (p.windows) m = m / 32 * 8 + m % 8;
  m = m < last ? m : last;
  int h = p.by_columns.quotient(m), w = p.by_columns.remainder(m, h);
  if (p.windows) h = 2 * h + place / 2, w = 2 * w + place % 2;
  return p.x.of(h * p.taps.stride + p.taps.origin, w * p.taps.stride + p.taps.origin);
}

/// Table of where the pixels of an image lie; those behind the last lie where the last does.
UNCIAL_BODY inline void make_pixel_table(const Block& block, const SharedImage& x, int at, int count) {
  int* pixels = block.memory<int>(4 * int64_t(at));
  const int last = x.height * x.width - 1;
  each_thread_without_waiting(block, [&](int t) {
    for (int i = t; i < count; i += block.threads) {
      const int pixel = i < last ? i : last, h = x.by_width.quotient(pixel);
      pixels[i] = x.of(h, x.by_width.remainder(pixel, h));
    }
  });
}

/// Offset of a unit from there, or of a single tap of a channel.
UNCIAL_BODY inline int unit_offset(const SharedImage& x, const Taps& t, int unit, bool gathered) {
  const int tap = t.by_channels.quotient(unit), c = t.by_channels.remainder(unit, tap);
  if (tap >= t.R * t.S) return 0;
  const int r = t.by_S.quotient(tap), s = t.by_S.remainder(tap, r);
  return (r * x.columns() + s) * t.dilation * x.pitch + c * (gathered ? x.pixels() : 8);
}
UNCIAL_BODY inline void make_unit_table(const Block& block, const SharedImage& x, const Taps& taps, int at,
                                        bool gathered) {
  each_thread_without_waiting(block, [&](int t) {
    for (int u = t; u < taps.units * (gathered ? 8 : 1); u += block.threads)
      block.memory<int>(4 * int64_t(at))[u] = unit_offset(x, taps, u, gathered);
  });
}

UNCIAL_BODY inline void make_tables(const Block& block, const ConvProduct& p) {
  int* rows = block.memory<int>(4 * int64_t(p.rows_at));
  make_unit_table(block, p.x, p.taps, p.units_at, p.gathered);
  each_thread_without_waiting(block, [&](int t) {
    for (int m = t; m < p.padded_rows(); m += block.threads) rows[m] = row_offset(p, m);
  });
}

/// For finish_copies().
UNCIAL_BODY inline void start_weights(const Block& block, const ConvProduct& p) {
  auto* to = block.memory<Vector16>(4 * int64_t(p.weights_at));
  const auto* from = reinterpret_cast<const Vector16*>(p.weights);
  each_thread_without_waiting(block, [&](int t) {
    for (int i = t; i < p.packed_words() / 4; i += block.threads) start_copy<16>(to + i, from + i);
  });
}

/// finish(warp, sums, m, tile) for all blocks of twice 16 rows, from m on, and kTiles times 8 filters of
/// x * w + bias(filter).
template <class Format, int kTiles, bool kGathered, class Bias, class Finish>
UNCIAL_INLINED_BODY void multiply_tiles(const Block& block, const ConvProduct& p, Bias bias, Finish finish) {
  const auto* shared = block.memory<uint16_t>();
  const int *rows = block.memory<int>(4 * int64_t(p.rows_at)),
            *units = block.memory<int>(4 * int64_t(p.units_at));
  const uint32_t* weights = block.memory<uint32_t>(4 * int64_t(p.weights_at));
  const int groups = p.filter_tiles / kTiles, items = p.padded_rows() / 32 * groups;
  each_warp(block, [&](const Warp& warp) {
    for (int item = warp.index; item < items; item += block.threads / kWarp) {
      const int block_of_rows = p.by_groups.quotient(item), m = block_of_rows * 32,
                tile = p.by_groups.remainder(item, block_of_rows) * kTiles;
      FragmentC sums[2][kTiles];
      UNCIAL_UNROLL
      for (int j = 0; j < kTiles; ++j) {
        warp.set_columns(sums[0][j], [&](int n) { return bias((tile + j) * 8 + n); });
        sums[1][j] = sums[0][j];
      }
      RowsAt places[2];
      UNCIAL_UNROLL
      for (int i = 0; i < 2; ++i)
        aim(warp, places[i], [&](int row) { return shared + rows[m + 16 * i + row]; });
      UNCIAL_UNROLL_2
      for (int step = 0; step < p.steps(); ++step) {
        FragmentA a[2];
        if constexpr (kGathered) {
          UNCIAL_UNROLL
          for (int i = 0; i < 2; ++i)
            gather(warp, a[i],
                   [&](int row, int k) { return shared[rows[m + 16 * i + row] + units[16 * step + k]]; });
        } else {
          load_rows(warp, a, places, [&](int h) { return units[2 * step + h]; });
        }
        const uint32_t* packed = weights + (step * p.filter_tiles + tile) * kPackedWords;
        UNCIAL_UNROLL
        for (int j = 0; j < kTiles; ++j) {
          FragmentB b;
          warp.load_packed(b, packed + j * kPackedWords);
          warp.template multiply<Format>(sums[0][j], a[0], b);
          warp.template multiply<Format>(sums[1][j], a[1], b);
        }
      }
      finish(warp, sums, m, tile);
    }
  });
}

/// kMostTiles is what registers allow.
template <class Format, int kMostTiles, bool kGathered, class Bias, class Finish>
UNCIAL_INLINED_BODY void multiply(const Block& block, const ConvProduct& p, Bias bias, Finish finish) {
  if (p.tiles_a_warp == 1)
    multiply_tiles<Format, 1, kGathered>(block, p, bias, finish);
  else if (p.tiles_a_warp == 2)
    multiply_tiles<Format, 2, kGathered>(block, p, bias, finish);
  else if (p.tiles_a_warp == 4 || kMostTiles < 8)
    multiply_tiles<Format, 4, kGathered>(block, p, bias, finish);
  else
    multiply_tiles<Format, kMostTiles, kGathered>(block, p, bias, finish);
}

/// Zeros in all of an image.
UNCIAL_BODY inline void clear(const Block& block, const SharedImage& x) {
  auto* to = block.memory<Vector16>(2 * int64_t(x.at));
  each_thread_without_waiting(block, [&](int t) {
    for (int i = t; i < (x.elements() + 7) / 8; i += block.threads) to[i] = {};
  });
}

/// Zeros where an image has no pixels of `height` and `width`.
UNCIAL_BODY inline void clear_around(const Block& block, const SharedImage& x, int height, int width) {
  auto* shared = block.memory<Vector16>(2 * int64_t(x.at));
  each_thread_without_waiting(block, [&](int t) {
    for (int i = t; i < x.pixels(); i += block.threads) {
      const int row = x.by_columns.quotient(i), h = row - x.halo, w = x.by_columns.remainder(i, row) - x.halo;
      if (h >= 0 && h < height && w >= 0 && w < width) continue;
      for (int v = 0; v < x.pitch / 8; ++v) shared[i * (x.pitch / 8) + v] = {};
    }
  });
}

/// Sample x (C, H, W), for finish_copies() and place_first().
UNCIAL_BODY inline void start_first(const Block& block, const FirstImage& f, const float* x) {
  const int size = int(f.e.C * f.e.H * f.e.W);
  float* raw = block.memory<float>(4 * int64_t(f.raw_at));
  const bool aligned = reinterpret_cast<uintptr_t>(x) % 16 == 0 && size % 4 == 0;
  each_thread_without_waiting(block, [&](int t) {
    if (aligned)
      for (int i = t; i < size / 4; i += block.threads) start_copy<16>(raw + 4 * i, x + 4 * i);
    else
      for (int i = t; i < size; i += block.threads) start_copy<4>(raw + i, x + i);
  });
}

/// It as the image of a first layer. What lies around it is zero already.
template <class Format>
UNCIAL_BODY void place_first(const Block& block, const FirstImage& f, const SharedImage& image) {
  auto* shared = block.memory<uint16_t>();
  const float* raw = block.memory<float>(4 * int64_t(f.raw_at));
  const int size = int(f.e.C * f.e.H * f.e.W), of_channel = f.gathered ? image.pixels() : 1;
  each_thread_without_waiting(block, [&](int t) {
    for (int i = t; i < size; i += block.threads) {
      const int line = f.by_width.quotient(i), w = f.by_width.remainder(i, line);
      const int c = f.by_plane.quotient(i), h = line - c * int(f.e.H);
      shared[image.of(h, w) + c * of_channel] = Format::bits(raw[i]);
    }
  });
}

UNCIAL_BODY inline void wait_for_copies(const Block& block) {
  block.each_thread([](int) { finish_copies(); });
}

}  // namespace uncial::cuda
