#pragma once
/// @file loss_head.h
/// The end of a network in two launches: the last dense layer, softmax and cross-entropy, and all of their
/// gradients, for few classes. Batches are small there, and a launch costs more than the work.

#include <cstdint>

#include "body.h"
#include "uncial/core/precision.h"

namespace uncial::cuda {

inline constexpr int kMaxHeadClasses = 16;
inline constexpr int64_t kMaxHeadBytes = 96 * 1024;  ///< of weights, in shared memory

/// logits = x w^T + bias with x = activated(z). Pointers may be null where it says so.
struct LossHead {
  int64_t N;
  int features, classes;
  const float *z, *w, *bias;               ///< (N, features), (classes, features), (classes) or null
  bool relu;                               ///< x = max(z, 0), and then dropout
  const int64_t *dropout_state, *samples;  ///< or null
  uint32_t threshold;
  float scale;
  Precision precision;  ///< of the products: float32, bf16 or fp16
  bool round_bias;      ///< what the bias gradient sums is a factor, too
  const int64_t* labels;
  double smoothing;
  const float* dloss;  ///< of the mean loss: a factor of all gradients
  float* loss;
  float *logits, *dz, *dw, *dbias;  ///< each may be null
  double* row_losses;               ///< scratch: N
  float *x, *dlogits;               ///< scratch: (N, features), (N, kMaxHeadClasses)

  UNCIAL_BODY bool rounds() const { return precision != Precision::float32; }
};

void run(const LossHead& head);

}  // namespace uncial::cuda
