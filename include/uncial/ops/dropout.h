#pragma once
/// @file dropout.h
/// Dropout whose mask is recomputed, never stored.

#include "uncial/core/tensor.h"

namespace uncial {

/// Which mask dropout() draws. Element j of row i (axis 0) is dropped by the random word
/// (seed, purpose dropout, layer, epoch, sample[i], j): the same for any batch, order and number of threads.
struct DropoutKey {
  Tensor state;    ///< int64 (3): seed, layer, epoch; read when the operator runs, so a replay may change it
  Tensor samples;  ///< int64 (N): source index of each row
};

/// Zeroes elements with probability p and scales the rest by 1 / (1 - p). x (N, ...); 0 <= p < 1.
/// Source: Srivastava et al., 2014.
Tensor dropout(const Tensor& x, double p, const DropoutKey& key);
/// The same with a key from a counter of this process: a new mask at each call.
Tensor dropout(const Tensor& x, double p);

}  // namespace uncial
