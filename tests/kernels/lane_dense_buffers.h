#pragma once
/// @file lane_dense_buffers.h
/// Guarded operands of dense layers with the batch in the lanes.

#include "guarded.h"
#include "simd/lane_dense.h"

namespace guarded {

/// Groups of [rows][lanes], with a gap between them.
struct Matrix {
  int64_t lanes, rows, groups, distance;
  Floats memory;
  Matrix(int64_t lanes, int64_t rows, int64_t groups)
      : lanes(lanes),
        rows(rows),
        groups(groups),
        distance((rows + 1) * lanes),
        memory((groups - 1) * distance + rows * lanes) {}
  uncial::cpu::LaneMatrix view() const { return {memory.data(), distance}; }
  float& at(int64_t row, int64_t sample) const {
    return memory[sample / lanes * distance + row * lanes + sample % lanes];
  }
  template <class Next>
  void fill(Next&& next) const {
    for (int64_t n = 0; n < groups * lanes; ++n)
      for (int64_t r = 0; r < rows; ++r) at(r, n) = next();
  }
  /// Whether only rows [first, last) were written.
  bool untouched_outside(int64_t first, int64_t last) const {
    return memory.untouched_outside(
        [&](int64_t i) { return i % distance >= first * lanes && i % distance < last * lanes; });
  }
};

/// Weights (K, D) with rows `pitch` apart.
struct Weights {
  int64_t K, D, pitch;
  Floats memory;
  Weights(int64_t K, int64_t D) : K(K), D(D), pitch(D + 3), memory((K - 1) * pitch + D) {}
  float& at(int64_t k, int64_t d) const { return memory[k * pitch + d]; }
  void fill(Integers& next) const {
    for (int64_t k = 0; k < K; ++k)
      for (int64_t d = 0; d < D; ++d) at(k, d) = next();
  }
};

}  // namespace guarded
