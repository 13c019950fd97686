#include "uncial/kernels/gemm.h"

#include <algorithm>

#include "scratch.h"
#include "simd/gemm_tile.h"
#include "uncial/core/parallel.h"

namespace uncial::cpu {
namespace {

/// Copies rows [first, first + width) of a strided matrix into a panel [K][width]; missing rows become 0.
template <class T>
void pack_panel(const T* x, int64_t row, int64_t col, int64_t first, int64_t rows, int64_t K, int width,
                T* out) {
  const int64_t present = std::min<int64_t>(width, rows - first);
  const T* from = x + first * row;
  if (row == 1) {
    for (int64_t k = 0; k < K; ++k, out += width) {
      for (int64_t i = 0; i < present; ++i) out[i] = from[k * col + i];
      for (int64_t i = present; i < width; ++i) out[i] = T(0);
    }
    return;
  }
  for (int64_t i = 0; i < width; ++i) {
    const T* line = from + i * row;
    if (i < present)
      for (int64_t k = 0; k < K; ++k) out[k * width + i] = line[k * col];
    else
      for (int64_t k = 0; k < K; ++k) out[k * width + i] = T(0);
  }
}

template <class T>
void multiply_one(const Gemm<T>& g, const T* a, const T* b, T* c) {
  const GemmTile<T>& tile = gemm_tile<T>();
  const int64_t row_panels = ceil_div(g.M, tile.mr), col_panels = ceil_div(g.N, tile.nr);
  T* left = scratch<T>(ScratchSlot::left, row_panels * tile.mr * g.K);
  T* right = scratch<T>(ScratchSlot::right, col_panels * tile.nr * g.K);
  constexpr int64_t kPackPanels = 8;  // panels packed by one task
  parallel_blocks(row_panels, kPackPanels, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      pack_panel(a, g.a_row, g.a_col, p * tile.mr, g.M, g.K, tile.mr, left + p * tile.mr * g.K);
  });
  parallel_blocks(col_panels, kPackPanels, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      pack_panel(b, g.b_col, g.b_row, p * tile.nr, g.N, g.K, tile.nr, right + p * tile.nr * g.K);
  });
  // One task: a block of row panels against one column panel, which stays in L1 or L2 meanwhile. K is never
  // cut, so an element's sum has one order whatever the number of threads.
  constexpr int64_t kRowPanels = 16;
  const int64_t row_blocks = ceil_div(row_panels, kRowPanels);
  parallel_for(row_blocks * col_panels, [&](int64_t task) {
    const int64_t block = task / col_panels, col = task % col_panels;
    const int64_t n0 = col * tile.nr, cols = std::min<int64_t>(tile.nr, g.N - n0);
    T* sums = scratch<T>(ScratchSlot::tile, int64_t(tile.mr) * tile.nr);
    const int64_t last = std::min((block + 1) * kRowPanels, row_panels);
    for (int64_t panel = block * kRowPanels; panel < last; ++panel) {
      tile.packed(g.K, left + panel * tile.mr * g.K, right + n0 * g.K, sums);
      const int64_t m0 = panel * tile.mr, rows = std::min<int64_t>(tile.mr, g.M - m0);
      for (int64_t i = 0; i < rows; ++i) {
        T* out = c + (m0 + i) * g.N + n0;
        const T* sum = sums + i * tile.nr;
        if (g.bias)
          for (int64_t j = 0; j < cols; ++j) out[j] = sum[j] + g.bias[n0 + j];
        else
          for (int64_t j = 0; j < cols; ++j) out[j] = sum[j];
      }
    }
  });
}

/// Rows [0, rows) of a strided matrix, each without gaps: itself when it is so already, else a copy in
/// `slot`.
template <class T>
const T* dense_rows(const T* x, int64_t rows, int64_t K, int64_t& row, int64_t col, ScratchSlot slot) {
  if (col == 1) return x;
  T* copy = scratch<T>(slot, rows * K);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t k = 0; k < K; ++k) copy[i * K + k] = x[i * row + k * col];
  row = K;
  return copy;
}

/// Up to so many rows, as in a dense layer that sees one image, packing the weights would cost more than
/// multiplying by them: rows meet columns where they lie. Chosen by shape alone, so that strides never change
/// a result's bits.
constexpr int64_t kFewRows = 8;

template <class T>
void multiply_narrow(const Gemm<T>& g, const T* a, const T* b, T* c) {
  const GemmTile<T>& tile = gemm_tile<T>();
  constexpr int64_t kColumns = 48;  // columns of one task
  const int64_t whole = g.K / tile.lanes * tile.lanes;
  int64_t a_row = g.a_row, b_col = g.b_col;
  a = dense_rows(a, g.M, g.K, a_row, g.a_col, ScratchSlot::left);
  b = dense_rows(b, g.N, g.K, b_col, g.b_row, ScratchSlot::right);
  parallel_blocks(g.N, kColumns, [&](int64_t begin, int64_t end) {
    const T *rows[16], *cols[16];  // beyond the edge the last one is repeated; its sums are dropped
    T sums[16 * 16];
    for (int64_t n0 = begin; n0 < end; n0 += tile.dot_cols)
      for (int64_t m0 = 0; m0 < g.M; m0 += tile.dot_rows) {
        for (int i = 0; i < tile.dot_rows; ++i) rows[i] = a + std::min(m0 + i, g.M - 1) * a_row;
        for (int j = 0; j < tile.dot_cols; ++j) cols[j] = b + std::min(n0 + j, end - 1) * b_col;
        std::fill(sums, sums + tile.dot_rows * tile.dot_cols, T(0));
        tile.dot(whole, rows, cols, sums);
        for (int64_t m = m0; m < std::min(m0 + tile.dot_rows, g.M); ++m)
          for (int64_t n = n0; n < std::min(n0 + tile.dot_cols, end); ++n) {
            T sum = sums[(m - m0) * tile.dot_cols + n - n0];
            for (int64_t k = whole; k < g.K; ++k) sum += a[m * a_row + k] * b[n * b_col + k];
            c[m * g.N + n] = g.bias ? sum + g.bias[n] : sum;
          }
      }
  });
}

}  // namespace

template <class T>
void gemm(const Gemm<T>& call) {
  // Many small products: a matrix is a task, and its own loops run inline. One large product: its loops are
  // cut.
  if (call.batch > 1)
    parallel_for(call.batch, [&](int64_t i) {
      multiply_one(call, call.a + i * call.a_batch, call.b + i * call.b_batch, call.c + i * call.M * call.N);
    });
  else if (call.batch == 1 && call.M <= kFewRows)
    multiply_narrow(call, call.a, call.b, call.c);
  else if (call.batch == 1)
    multiply_one(call, call.a, call.b, call.c);
}

template void gemm<float>(const Gemm<float>&);
template void gemm<double>(const Gemm<double>&);

}  // namespace uncial::cpu
