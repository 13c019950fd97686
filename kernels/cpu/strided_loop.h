#pragma once
/// @file strided_loop.h
/// Walking several operands of one shape with different strides, as few long runs as possible. Internal.

#include <array>

#include "uncial/core/parallel.h"
#include "uncial/core/view.h"

namespace uncial::cpu {

/// Elements that one task takes: below this a second thread costs more than it saves.
inline constexpr int64_t kElementGrain = 1 << 15;

/// A shape with one stride vector for each of N operands. The last axis is the run that a body walks.
template <int N>
struct StridedLoop {
  Shape shape;
  std::array<Strides, N> strides;

  /// Drops axes of extent 1 and joins neighbours that all operands walk without a gap.
  StridedLoop(const Shape& full, const std::array<Strides, N>& full_strides) {
    for (int axis = 0; axis < full.rank(); ++axis) {
      if (full[axis] == 1) continue;
      if (!shape.empty() && joins(full[axis], full_strides, axis)) {
        shape[shape.rank() - 1] *= full[axis];
        for (int k = 0; k < N; ++k) strides[k][shape.rank() - 1] = full_strides[k][axis];
      } else {
        shape.push_back(full[axis]);
        for (int k = 0; k < N; ++k) strides[k].push_back(full_strides[k][axis]);
      }
    }
    if (!shape.empty()) return;
    shape.push_back(1);
    for (Strides& s : strides) s.push_back(1);
  }

  int64_t run_length() const { return shape.back(); }
  int64_t run_stride(int operand) const { return strides[operand].back(); }

 private:
  bool joins(int64_t extent, const std::array<Strides, N>& full_strides, int axis) const {
    for (int k = 0; k < N; ++k)
      if (strides[k].back() != full_strides[k][axis] * extent) return false;
    return true;
  }
};

/// Where the operands stand at the start of a run.
template <int N>
class RunCursor {
 public:
  RunCursor(const StridedLoop<N>& loop, int64_t run)
      : loop_(loop), index_(Extents::filled(loop.shape.rank(), 0)) {
    offsets.fill(0);
    for (int axis = loop.shape.rank() - 2; axis >= 0; --axis) {
      index_[axis] = run % loop.shape[axis];
      run /= loop.shape[axis];
      for (int k = 0; k < N; ++k) offsets[k] += index_[axis] * loop.strides[k][axis];
    }
  }

  void next() {
    for (int axis = loop_.shape.rank() - 2; axis >= 0; --axis) {
      for (int k = 0; k < N; ++k) offsets[k] += loop_.strides[k][axis];
      if (++index_[axis] < loop_.shape[axis]) return;
      index_[axis] = 0;
      for (int k = 0; k < N; ++k) offsets[k] -= loop_.shape[axis] * loop_.strides[k][axis];
    }
  }

  std::array<int64_t, N> offsets;  // in elements

 private:
  const StridedLoop<N>& loop_;
  Extents index_;
};

/// Calls body(offsets, length) for every run, in parallel; long runs are cut into pieces.
template <int N, class Body>
void parallel_runs(const StridedLoop<N>& loop, Body body) {
  const int64_t length = loop.run_length(), size = count(loop.shape);
  if (size == 0) return;
  const int64_t runs = size / length, pieces = ceil_div(length, kElementGrain);
  if (pieces > 1) {
    parallel_for(runs * pieces, [&](int64_t task) {
      RunCursor<N> cursor(loop, task / pieces);
      const int64_t begin = task % pieces * kElementGrain;
      for (int k = 0; k < N; ++k) cursor.offsets[k] += begin * loop.run_stride(k);
      body(cursor.offsets, std::min(kElementGrain, length - begin));
    });
  } else {
    parallel_blocks(runs, std::max<int64_t>(1, kElementGrain / length), [&](int64_t begin, int64_t end) {
      RunCursor<N> cursor(loop, begin);
      for (int64_t run = begin; run < end; ++run, cursor.next()) body(cursor.offsets, length);
    });
  }
}

}  // namespace uncial::cpu
