#pragma once
// The convolutions that bench_kernels measures.

#include <string>
#include <vector>

#include "uncial/kernels/conv.h"

namespace uncial::bench {

struct ConvShape {
  std::string name;
  ConvExtents e;
  double flops() const { return 2.0 * double(e.N * e.K * e.P * e.Q) * double(e.C / e.groups * e.R * e.S); }
  int64_t x_size() const { return e.N * e.C * e.H * e.W; }
  int64_t w_size() const { return e.K * (e.C / e.groups) * e.R * e.S; }
  int64_t y_size() const { return e.N * e.K * e.P * e.Q; }
  double bytes() const { return 4.0 * double(x_size() + w_size() + y_size()); }
};

const std::vector<ConvShape>& conv_shapes();

}  // namespace uncial::bench
