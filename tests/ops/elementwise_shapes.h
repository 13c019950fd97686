#pragma once
/// The shapes that elementwise operators are tried on.

#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::test {

/// Rank 0 to 5, extents 0 and 1, odd ones, one longer than a task of the parallel loops takes.
inline const std::vector<Shape> kShapes = {
    {}, {1}, {0}, {7}, {33}, {3, 5}, {1, 9}, {4, 0, 2}, {2, 3, 4}, {2, 1, 3, 2}, {1, 2, 3, 1, 2}, {257, 129}};

/// One random tensor in [low, high) for each shape, never nearer to a kink at 0 than 0.05.
inline std::vector<Tensors> inputs_in(double low, double high) {
  std::vector<Tensors> inputs;
  for (const Shape& shape : kShapes) {
    const Tensor x = rand(shape, inputs.size() + 1, low, high, DType::float64);
    for (double& v : x.span<double>())
      if (v > -0.05 && v < 0.05) v = v < 0 ? v - 0.05 : v + 0.05;
    inputs.push_back({x});
  }
  return inputs;
}

}  // namespace uncial::test
