#pragma once
/// @file find_dense.h
/// Recorded products of dense layers that run on tensor cores with what surrounds them: the rounding of their
/// factors, bias and ReLU, sums of gradients, copies to where gradients go. Internal.

#include <set>
#include <vector>

#include "program/graph.h"

namespace uncial::program::cuda {

/// A factor: value `source` from its element `offset` on; element (i, k) is i * step + k * k_step behind
/// that.
struct DenseFactor {
  int source = -1;
  int64_t offset = 0, step = 0, k_step = 0;
};

/// c[m][n] = sum over k of a(m, k) * b(n, k) (+ bias[n]); see kernels/cuda/tile_product.h.
struct DenseProduct {
  int step = -1;
  int64_t M = 0, N = 0, K = 0;
  DenseFactor a = {}, b = {};
  int c = -1, bias = -1, a_sums = -1;  ///< values, or -1
  bool relu = false;
  Precision precision = Precision::bf16;  ///< of the factors
  std::set<int> steps = {};               ///< that it stands for
  int deadline = 0;  ///< it must run before this step, and may run after all others before it
};

/// All `linear` and `matmul` steps of rounded factors that are not `taken`, and nothing that others need.
/// `runs_at` as in dense_stages.h.
std::vector<DenseProduct> find_dense(const Graph& graph, const std::vector<int>& runs_at,
                                     const std::vector<bool>& taken);

}  // namespace uncial::program::cuda
