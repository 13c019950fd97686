#pragma once
/// @file queries.h
/// Questions about recorded steps that the GPU's planner asks. Internal.

#include <algorithm>
#include <set>

#include "program/fuse_queries.h"

namespace uncial::program::cuda {

class GpuQueries : public FuseQueries {
 public:
  using FuseQueries::FuseQueries;

  bool plain(int v) const {
    const Value& x = g_.value(v);
    return x.dtype == DType::float32 && is_row_major(x.shape, x.strides);
  }
  /// The rounding that makes a value, or -1.
  int rounding_of(int v) const {
    const int s = g_.writer(g_.value(v).buffer);
    return s >= 0 && g_.is_rounding(s) && g_.whole(v) && plain(g_.in(s, 0)) ? s : -1;
  }
  /// The only rounding among the readers of a value, or -1.
  int rounding_behind(int v) const {
    int found = -1;
    for (int s : g_.readers(g_.value(v).buffer)) {
      if (!g_.is_rounding(s)) continue;
      if (found >= 0) return -1;
      found = s;
    }
    return found;
  }
  /// Where a gradient ends up: a copy that alone reads it is left out, as one of `steps`.
  int where_it_goes(int v, std::set<int>& steps) const {
    const int copy = only_reader(g_.value(v).buffer);
    if (copy < 0 || !g_.is(copy, "copy") || !g_.whole(g_.in(copy, 0)) || !g_.whole(g_.out(copy)) ||
        !plain(g_.out(copy)))
      return v;
    steps.insert(copy);
    return g_.out(copy);
  }
  /// True when nobody but `steps` reads a buffer, nor anybody outside of the program.
  bool stays_inside(int buffer, const std::set<int>& steps) const {
    const auto& readers = g_.readers(buffer);
    return g_.temporary(buffer) &&
           std::all_of(readers.begin(), readers.end(), [&](int s) { return steps.count(s) > 0; });
  }
  /// True when what `steps` make, but for the values in `seen_outside`, stays inside.
  bool closed(const std::set<int>& steps, const std::set<int>& seen_outside) const {
    std::set<int> buffers;
    for (int v : seen_outside)
      if (v >= 0) buffers.insert(g_.value(v).buffer);
    for (int s : steps)
      for (int v : g_.step(s).outputs)
        if (!buffers.count(g_.value(v).buffer) && !stays_inside(g_.value(v).buffer, steps)) return false;
    return true;
  }
};

}  // namespace uncial::program::cuda
