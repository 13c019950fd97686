#pragma once
/// @file im2col.h
/// Unfolding images so that a convolution becomes a matrix product.

#include <algorithm>
#include <cstdint>

#include "uncial/kernels/conv.h"

namespace uncial::cpu {

/// Columns q in [begin, end) whose tap lies inside the image: column q reads x[q * stride + shift].
struct ColumnRange {
  int64_t begin, end;
};
inline ColumnRange inside(int64_t W, int64_t Q, int64_t stride, int64_t shift) {
  const int64_t begin = shift >= 0 ? 0 : std::min(Q, ceil_div(-shift, stride));
  const int64_t end = W - shift <= 0 ? 0 : std::min(Q, ceil_div(W - shift, stride));
  return {begin, std::max(begin, end)};
}

/// One image's channels [c0, c0 + channels) as columns: row (c, r, s) of `columns` holds the P*Q pixels under
/// that tap; rows are `pitch` elements apart. Outside the image the value is 0.
template <class T>
void im2col(const ConvExtents& e, const T* x, int64_t channels, T* columns, int64_t pitch) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t r = 0; r < e.R; ++r)
      for (int64_t s = 0; s < e.S; ++s, columns += pitch) {
        const int64_t shift = s * e.dilation - e.padding;
        const ColumnRange range = inside(e.W, e.Q, e.stride, shift);
        T* out = columns;
        for (int64_t p = 0; p < e.P; ++p, out += e.Q) {
          const int64_t h = p * e.stride + r * e.dilation - e.padding;
          if (h < 0 || h >= e.H) {
            std::fill(out, out + e.Q, T(0));
            continue;
          }
          const T* line = x + (c * e.H + h) * e.W + shift;
          std::fill(out, out + range.begin, T(0));
          if (e.stride == 1)
            for (int64_t q = range.begin; q < range.end; ++q) out[q] = line[q];
          else
            for (int64_t q = range.begin; q < range.end; ++q) out[q] = line[q * e.stride];
          std::fill(out + range.end, out + e.Q, T(0));
        }
      }
}

/// The transpose of im2col: adds every column back to the pixel it came from.
template <class T>
void col2im_add(const ConvExtents& e, const T* columns, int64_t pitch, int64_t channels, T* x) {
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t r = 0; r < e.R; ++r)
      for (int64_t s = 0; s < e.S; ++s, columns += pitch) {
        const int64_t shift = s * e.dilation - e.padding;
        const ColumnRange range = inside(e.W, e.Q, e.stride, shift);
        for (int64_t p = 0; p < e.P; ++p) {
          const int64_t h = p * e.stride + r * e.dilation - e.padding;
          if (h < 0 || h >= e.H) continue;
          T* line = x + (c * e.H + h) * e.W + shift;
          const T* in = columns + p * e.Q;
          if (e.stride == 1)
            for (int64_t q = range.begin; q < range.end; ++q) line[q] += in[q];
          else
            for (int64_t q = range.begin; q < range.end; ++q) line[q * e.stride] += in[q];
        }
      }
}

}  // namespace uncial::cpu
