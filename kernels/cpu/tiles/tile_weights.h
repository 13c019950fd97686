#pragma once
/// @file tile_weights.h
/// Packed weights of convolutions, and the sums of their gradients.

#include "tile_gather.h"

namespace UNCIAL_SIMD {

int64_t tile_weight_floats(const LaneConvShape& s, int64_t C, int64_t K);
int64_t tile_turned_weight_floats(const LaneConvShape& s, int64_t C, int64_t K);
void pack_tile_weights(const LaneConvShape& s, const float* w, int64_t C, int64_t K, int64_t tile,
                       float* packed);
void pack_turned_tile_weights(const LaneConvShape& s, const float* w, int64_t C, int64_t K, int64_t tile,
                              float* packed);

/// What the weight gradient of one group needs: rows [p0, p1) of dy, both factors packed for products over
/// images. The 32 products of an instruction are 16 images of a pixel and of the one `half` columns of dy
/// further, so that taps stay columns apart; the images of x have to be turned for that.
struct TileWeightSums {
  LaneConvShape s;
  int64_t C, H, W, K, P, Q;
  char *dy_rows, *x_rows;  ///< memory for both: dy_bytes() and x_bytes()

  static constexpr int64_t kRows = 4;  ///< of dy at once: as often are sums loaded and stored
  int64_t half() const { return ceil_div(Q, 2); }
  int64_t x_columns() const { return (half() - 1) * s.stride + (s.S - 1) * s.dilation + 1; }
  int64_t x_ring() const { return (kRows - 1) * s.stride + (s.R - 1) * s.dilation + 1; }
  int64_t dy_row_bytes() const { return half() * tiles_of(K) * kTileBytes; }
  int64_t x_row_bytes() const { return x_columns() * tiles_of(C) * kTileBytes; }
  int64_t dy_bytes() const { return kRows * dy_row_bytes(); }
  int64_t x_bytes() const { return x_ring() * x_row_bytes(); }
  int64_t floats() const { return s.R * tiles_of(K) * s.S * tiles_of(C) * kTileFloats; }

  /// Row p of dy, ReLU and pooling undone, K planes of Q vectors.
  void pack_dy(int64_t p, const float* row, int64_t plane) const;
  /// Adds rows [p0, p1) to sums; called for all rows in order, at most kRows at a time.
  void add(Tiles& tiles, const LaneImage& x, int64_t p0, int64_t p1, float* sums) const;

 private:
  void pack_x(const LaneImage& x, int64_t h) const;
  char* x_row(int64_t h) const { return x_rows + (h - floor_div(h, x_ring()) * x_ring()) * x_row_bytes(); }
  template <int kA, int kB>
  void add_block(Tiles& tiles, int64_t r, int64_t k_tile, int64_t column, int64_t p0, int64_t p1,
                 float* sums) const;
};

void finish_tile_weights(const LaneConvShape& s, int64_t C, int64_t K, const float* sums, float* dw,
                         int64_t k0, int64_t k1);

}  // namespace UNCIAL_SIMD
