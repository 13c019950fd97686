#pragma once
/// @file loss.h
/// Softmax and losses. Losses are means over the batch, scalars, unless said otherwise.

#include "uncial/core/tensor.h"

namespace uncial {

/// exp(x) / sum(exp(x)) along an axis; finite for any finite x.
Tensor softmax(const Tensor& x, int64_t axis = -1);
Tensor log_softmax(const Tensor& x, int64_t axis = -1);

/// Options of cross_entropy().
struct CrossEntropyOptions {
  double label_smoothing = 0;  ///< in [0, 1): the target is (1 - s) * one_hot + s / classes
  Tensor class_weights = {};   ///< (classes); the mean is then weighted by the weight of each target
};

/// Mean of -log softmax(logits)[label]: logits (N, classes) float, labels (N) int64 (int32 and uint8 are
/// converted). Throws a usage Error naming the first label outside [0, classes). Softmax, loss and gradient
/// are one operator.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options = {});
/// Mean of -log_probabilities[label].
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& labels);
/// Mean of (x - y)^2 / of |x - y| over all elements.
Tensor mse_loss(const Tensor& x, const Tensor& y);
Tensor l1_loss(const Tensor& x, const Tensor& y);
/// Mean of binary cross-entropy between sigmoid(logits) and targets in [0, 1], without overflow.
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets);

}  // namespace uncial
