#pragma once
/// @file chain_cut.h
/// How products of a chain of convolutions are cut among the warps of a block: by what each cut would cost.
/// Internal.

#include "conv_chain.h"
#include "uncial/core/shape.h"

namespace uncial::program::cuda {

inline int round_up(int64_t x, int64_t to) { return int(ceil_div(x, to) * to); }

/// How a chain's kernel runs.
struct Launch {
  int threads, resident;  ///< of a block; blocks of a multiprocessor
  int64_t samples;        ///< that a block takes
  int warps() const { return threads / uncial::cuda::kWarp; }
};

/// Cuts y = x * w into blocks of rows and of filters. Returns the cycles of a sample.
double cut_filters(uncial::cuda::ConvProduct& p, int64_t filters, const Launch& launch, int most_tiles);

/// Cuts a weight gradient. Returns the cycles of a sample.
double cut_gradient(uncial::cuda::BackwardLayer& l, const Launch& launch);

}  // namespace uncial::program::cuda
