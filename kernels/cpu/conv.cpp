// Convolution as matrix products over unfolded images. Work is cut into groups of images by shape alone, and
// no sum is ever cut by thread, so results have the same bits for any number of threads.

#include "uncial/kernels/conv.h"

#include <algorithm>

#include "im2col.h"
#include "scratch.h"
#include "simd/gemm_tile.h"
#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

/// A matrix (rows x cols, strides row and col) as panels [k][mr] of its rows.
template <class T>
void pack_rows(const T* x, int64_t rows, int64_t cols, int64_t row, int64_t col, int mr, T* out) {
  for (int64_t first = 0; first < rows; first += mr)
    for (int64_t k = 0; k < cols; ++k)
      for (int64_t i = first; i < first + mr; ++i) *out++ = i < rows ? x[i * row + k * col] : T(0);
}

/// A row-major matrix (K x cols, rows `pitch` apart) as panels [k][nr] of its columns; `pitch` covers whole
/// panels.
template <class T>
void pack_columns(const T* x, int64_t K, int64_t cols, int64_t pitch, int nr, T* out) {
  for (int64_t first = 0; first < cols; first += nr)
    for (int64_t k = 0; k < K; ++k, out += nr) {
      const T* from = x + k * pitch + first;
      for (int j = 0; j < nr; ++j) out[j] = from[j];
    }
}

/// Images that share one matrix product: about `columns` columns to fill the tiles, at most `elements` of
/// them in all, so that they stay in L2.
int64_t images_per_group(const ConvExtents& e, int64_t depth, int64_t columns, int64_t elements) {
  const int64_t pixels = std::max<int64_t>(e.P * e.Q, 1);
  const int64_t by_columns = ceil_div(columns, pixels),
                by_cache = elements / std::max<int64_t>(depth * pixels, 1);
  return std::clamp<int64_t>(std::min(by_columns, by_cache), 1, std::max<int64_t>(e.N, 1));
}

/// Stores a tile of sums for columns [j0, j0 + cols) of a group of images: column j is pixel j % PQ of image
/// j / PQ.
template <class T>
void store_tile(const T* sums, int nr, int64_t rows, int64_t j0, int64_t cols, int64_t pixels,
                int64_t image_stride, const T* bias, T* y) {
  for (int64_t j = 0; j < cols;) {
    const int64_t image = (j0 + j) / pixels, pixel = (j0 + j) % pixels;
    const int64_t run = std::min(cols - j, pixels - pixel);
    for (int64_t i = 0; i < rows; ++i) {
      T* out = y + image * image_stride + i * pixels + pixel;
      const T* sum = sums + i * nr + j;
      const T b = bias ? bias[i] : T(0);
      for (int64_t l = 0; l < run; ++l) out[l] = sum[l] + b;
    }
    j += run;
  }
}

/// (slots, size) -> sum over slots, in the order of a binary tree.
template <class T>
void sum_slots(T* slots, int64_t count, int64_t size, T* out) {
  parallel_blocks(size, 4096, [=](int64_t begin, int64_t end) {
    for (int64_t step = 1; step < count; step *= 2)
      for (int64_t s = 0; s + step < count; s += 2 * step)
        for (int64_t i = begin; i < end; ++i) slots[s * size + i] += slots[(s + step) * size + i];
    for (int64_t i = begin; i < end; ++i) out[i] = slots[i];
  });
}

}  // namespace

template <class T>
void conv2d(const ConvExtents& e, const T* x, const T* w, const T* bias, T* y) {
  if (e.N * e.K * e.P * e.Q == 0) return;
  const GemmTile<T>& tile = gemm_tile<T>();
  const int64_t pixels = e.P * e.Q, Cg = e.C / e.groups, Kg = e.K / e.groups, depth = Cg * e.R * e.S;
  const int64_t row_panels = ceil_div(Kg, tile.mr), panel_rows = row_panels * tile.mr;
  T* left = scratch<T>(ScratchSlot::left, e.groups * panel_rows * depth);
  for (int64_t g = 0; g < e.groups; ++g)
    pack_rows(w + g * Kg * depth, Kg, depth, depth, 1, tile.mr, left + g * panel_rows * depth);

  const int64_t images = images_per_group(e, depth, 512, 128 * 1024), blocks = ceil_div(e.N, images);
  parallel_for(blocks * e.groups, [&](int64_t task) {
    const int64_t g = task % e.groups, n0 = task / e.groups * images, n1 = std::min(n0 + images, e.N);
    const int64_t cols = (n1 - n0) * pixels, pitch = ceil_div(cols, tile.nr) * tile.nr;
    T* columns = scratch<T>(ScratchSlot::columns, depth * pitch);
    for (int64_t n = n0; n < n1; ++n)
      im2col(e, x + (n * e.C + g * Cg) * e.H * e.W, Cg, columns + (n - n0) * pixels, pitch);
    if (pitch > cols)  // the last panel is multiplied whole
      for (int64_t k = 0; k < depth; ++k)
        std::fill(columns + k * pitch + cols, columns + (k + 1) * pitch, T(0));
    T* right = scratch<T>(ScratchSlot::right, depth * tile.nr);
    T* sums = scratch<T>(ScratchSlot::tile, int64_t(tile.mr) * tile.nr);
    for (int64_t j0 = 0; j0 < cols; j0 += tile.nr) {
      pack_columns(columns + j0, depth, tile.nr, pitch, tile.nr, right);
      for (int64_t panel = 0; panel < row_panels; ++panel) {
        tile.packed(depth, left + (g * panel_rows + panel * tile.mr) * depth, right, sums);
        const int64_t k0 = g * Kg + panel * tile.mr;
        store_tile(sums, tile.nr, std::min<int64_t>(tile.mr, Kg - panel * tile.mr), j0,
                   std::min<int64_t>(tile.nr, cols - j0), pixels, e.K * pixels, bias ? bias + k0 : nullptr,
                   y + (n0 * e.K + k0) * pixels);
      }
    }
  });
}

template <class T>
void conv2d_input_gradient(const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx) {
  const int64_t plane = e.H * e.W;
  if (e.N * e.C * plane == 0) return;
  const GemmTile<T>& tile = gemm_tile<T>();
  const int64_t pixels = e.P * e.Q, Cg = e.C / e.groups, Kg = e.K / e.groups, depth = Cg * e.R * e.S;
  const int64_t row_panels = ceil_div(depth, tile.mr), panel_rows = row_panels * tile.mr;
  const int64_t pitch = ceil_div(pixels, tile.nr) * tile.nr;
  T* left = scratch<T>(ScratchSlot::left, e.groups * panel_rows * Kg);
  for (int64_t g = 0; g < e.groups; ++g)  // the weights transposed: one row for each (c, r, s)
    pack_rows(w + g * Kg * depth, depth, Kg, 1, depth, tile.mr, left + g * panel_rows * Kg);

  parallel_for(e.N * e.groups, [&](int64_t task) {
    const int64_t n = task / e.groups, g = task % e.groups;
    T* out = dx + (n * e.C + g * Cg) * plane;
    for (int64_t c = 0; c < Cg; ++c)
      std::fill(out + c * plane, out + (c + 1) * plane, bias ? bias[g * Cg + c] : T(0));
    if (Kg * pixels == 0) return;
    const T* in = dy + (n * e.K + g * Kg) * pixels;
    T* columns = scratch<T>(ScratchSlot::columns, panel_rows * pitch);
    T* right = scratch<T>(ScratchSlot::right, Kg * tile.nr);
    T* sums = scratch<T>(ScratchSlot::tile, int64_t(tile.mr) * tile.nr);
    for (int64_t j0 = 0; j0 < pixels; j0 += tile.nr) {
      const int64_t cols = std::min<int64_t>(tile.nr, pixels - j0);
      for (int64_t k = 0; k < Kg; ++k)
        for (int64_t j = 0; j < tile.nr; ++j)
          right[k * tile.nr + j] = j < cols ? in[k * pixels + j0 + j] : T(0);
      for (int64_t panel = 0; panel < row_panels; ++panel) {
        tile.packed(Kg, left + (g * panel_rows + panel * tile.mr) * Kg, right, sums);
        for (int64_t i = 0; i < tile.mr; ++i)
          std::copy(sums + i * tile.nr, sums + (i + 1) * tile.nr,
                    columns + (panel * tile.mr + i) * pitch + j0);
      }
    }
    col2im_add(e, columns, pitch, Cg, out);
  });
}

template <class T>
void conv2d_weight_gradient(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  const GemmTile<T>& tile = gemm_tile<T>();
  const int64_t pixels = e.P * e.Q, Cg = e.C / e.groups, Kg = e.K / e.groups, depth = Cg * e.R * e.S;
  const int64_t size = e.K * depth;
  if (size == 0) return;
  if (e.N * pixels == 0) return std::fill(dw, dw + size, T(0));
  // Each slot sums its own images; how many slots there are depends on shapes only.
  constexpr int64_t kSlots = 16, kSlotElements = 2 * 1024 * 1024;
  // Long dot products: each ends with a sum over lanes, which costs as much as some 15 multiply-adds.
  const int64_t images = images_per_group(e, depth, 1024, 384 * 1024), blocks = ceil_div(e.N, images);
  const int64_t count = std::min(blocks, std::clamp<int64_t>(kSlotElements / size, 2, kSlots));
  T* slots = scratch<T>(ScratchSlot::slots, count * size);
  const int64_t tile_cols = ceil_div(depth, tile.dot_cols), tile_rows = ceil_div(Kg, tile.dot_rows);
  const int64_t tile_size = int64_t(tile.dot_rows) * tile.dot_cols;

  parallel_for(count * e.groups, [&](int64_t task) {
    const int64_t slot = task / e.groups, g = task % e.groups;
    const int64_t longest = ceil_div(images * pixels, tile.lanes) * tile.lanes;
    T* columns = scratch<T>(ScratchSlot::columns, depth * longest);
    T* rows = scratch<T>(ScratchSlot::right, Kg * longest);
    T* sums = scratch<T>(ScratchSlot::tile, tile_rows * tile_cols * tile_size);
    std::fill(sums, sums + tile_rows * tile_cols * tile_size, T(0));
    for (int64_t block = slot * blocks / count; block < (slot + 1) * blocks / count; ++block) {
      const int64_t n0 = block * images, n1 = std::min(n0 + images, e.N);
      const int64_t length = (n1 - n0) * pixels, pitch = ceil_div(length, tile.lanes) * tile.lanes;
      for (int64_t n = n0; n < n1; ++n) {
        im2col(e, x + (n * e.C + g * Cg) * e.H * e.W, Cg, columns + (n - n0) * pixels, pitch);
        for (int64_t k = 0; k < Kg; ++k) {
          const T* from = dy + (n * e.K + g * Kg + k) * pixels;
          std::copy(from, from + pixels, rows + k * pitch + (n - n0) * pixels);
        }
      }
      for (int64_t k = 0; k < depth; ++k)
        std::fill(columns + k * pitch + length, columns + (k + 1) * pitch, T(0));
      for (int64_t k = 0; k < Kg; ++k) std::fill(rows + k * pitch + length, rows + (k + 1) * pitch, T(0));
      for (int64_t j = 0; j < tile_cols; ++j)  // the columns of a tile stay in L1, the rows stream from L2
        for (int64_t i = 0; i < tile_rows; ++i) {
          const T *a[16], *b[16];  // rows beyond the edge repeat the last one; their sums are dropped
          for (int r = 0; r < tile.dot_rows; ++r)
            a[r] = rows + std::min(i * tile.dot_rows + r, Kg - 1) * pitch;
          for (int c = 0; c < tile.dot_cols; ++c)
            b[c] = columns + std::min(j * tile.dot_cols + c, depth - 1) * pitch;
          tile.dot(pitch, a, b, sums + (i * tile_cols + j) * tile_size);
        }
    }
    T* out = slots + slot * size + g * Kg * depth;
    for (int64_t k = 0; k < Kg; ++k)
      for (int64_t d = 0; d < depth; ++d)
        out[k * depth + d] = sums[((k / tile.dot_rows) * tile_cols + d / tile.dot_cols) * tile_size +
                                  (k % tile.dot_rows) * tile.dot_cols + d % tile.dot_cols];
  });
  sum_slots(slots, count, size, dw);
}

#define UNCIAL_INSTANTIATE(T)                                                                   \
  template void conv2d<T>(const ConvExtents&, const T*, const T*, const T*, T*);                \
  template void conv2d_input_gradient<T>(const ConvExtents&, const T*, const T*, const T*, T*); \
  template void conv2d_weight_gradient<T>(const ConvExtents&, const T*, const T*, T*);
UNCIAL_INSTANTIATE(float)
UNCIAL_INSTANTIATE(double)
#undef UNCIAL_INSTANTIATE

}  // namespace uncial::cpu
