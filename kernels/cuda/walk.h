#pragma once
/// @file walk.h
/// Element numbers of a shape as offsets into strided operands.

#include "grid.h"
#include "uncial/core/view.h"

namespace uncial::cuda {

/// `kOperands` operands of one shape. Axes that all operands step through alike are merged, so that common
/// cases divide little.
template <int kOperands>
struct Walk {
  int rank = 0;
  int64_t extent[kMaxRank];
  int64_t stride[kOperands][kMaxRank];
  IndexDivider by[kMaxRank];

  Walk(const Shape& shape, const Strides* const (&strides)[kOperands]) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 1) continue;
      bool joins = rank > 0;
      for (int o = 0; o < kOperands && joins; ++o)
        joins = stride[o][rank - 1] == (*strides[o])[axis] * shape[axis];
      if (!joins) ++rank, extent[rank - 1] = 1;
      extent[rank - 1] *= shape[axis];
      for (int o = 0; o < kOperands; ++o) stride[o][rank - 1] = (*strides[o])[axis];
    }
    int64_t size = 1;
    for (int axis = 0; axis < rank; ++axis) size *= extent[axis];
    for (int axis = 0; axis < rank && size > 0; ++axis) by[axis] = IndexDivider(extent[axis], size);
  }

  struct Offsets {
    int64_t of[kOperands];
  };
  UNCIAL_BODY Offsets at(int64_t i) const {
    Offsets offsets = {};
    for (int axis = rank - 1; axis >= 0; --axis) {
      const int64_t rest = axis == 0 ? 0 : by[axis].quotient(i), index = i - rest * extent[axis];
      i = rest;
      for (int o = 0; o < kOperands; ++o) offsets.of[o] += index * stride[o][axis];
    }
    return offsets;
  }
};

}  // namespace uncial::cuda
