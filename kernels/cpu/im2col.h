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

/// One tap of one channel when the output is as wide as the input and the stride 1: the plane is the input
/// plane moved by a constant, so it is one copy, after which the columns that wrapped around an edge are
/// cleared.
template <class T>
void shifted_plane(const ConvExtents& e, const T* plane, int64_t down, int64_t right, T* out) {
  const int64_t first = std::clamp<int64_t>(-down, 0, e.P),
                last = std::clamp<int64_t>(e.H - down, first, e.P);
  std::fill(out, out + first * e.Q, T(0));
  std::fill(out + last * e.Q, out + e.P * e.Q, T(0));
  if (first == last) return;
  const int64_t size = e.H * e.W, move = down * e.W + right;
  const int64_t begin = std::max(first * e.Q, -move), end = std::min(last * e.Q, size - move);
  if (begin < end) std::copy(plane + begin + move, plane + end + move, out + begin);
  for (int64_t q = 0; q < std::min(-right, e.Q); ++q)
    for (int64_t p = first; p < last; ++p) out[p * e.Q + q] = T(0);
  for (int64_t q = std::max<int64_t>(e.Q - right, 0); q < e.Q; ++q)
    for (int64_t p = first; p < last; ++p) out[p * e.Q + q] = T(0);
}

/// One image's channels as columns: row (c, r, s) of `columns` holds the P*Q pixels under that tap; rows are
/// `pitch` elements apart. Outside the image the value is 0.
template <class T>
void im2col(const ConvExtents& e, const T* x, int64_t channels, T* columns, int64_t pitch) {
  const bool same_width = e.stride == 1 && e.Q == e.W;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t r = 0; r < e.R; ++r)
      for (int64_t s = 0; s < e.S; ++s, columns += pitch) {
        const int64_t down = r * e.dilation - e.padding, right = s * e.dilation - e.padding;
        if (same_width) {
          shifted_plane(e, x + c * e.H * e.W, down, right, columns);
          continue;
        }
        const ColumnRange range = inside(e.W, e.Q, e.stride, right);
        T* out = columns;
        for (int64_t p = 0; p < e.P; ++p, out += e.Q) {
          const int64_t h = p * e.stride + down;
          if (h < 0 || h >= e.H || range.begin == range.end) {
            std::fill(out, out + e.Q, T(0));
            continue;
          }
          const T* line = x + (c * e.H + h) * e.W + right;
          if (range.begin > 0) std::fill(out, out + range.begin, T(0));
          if (e.stride == 1)
            std::copy(line + range.begin, line + range.end, out + range.begin);
          else
            for (int64_t q = range.begin; q < range.end; ++q) out[q] = line[q * e.stride];
          if (range.end < e.Q) std::fill(out + range.end, out + e.Q, T(0));
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
