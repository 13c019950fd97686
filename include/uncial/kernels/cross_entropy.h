#pragma once
#include "uncial/kernels/kernel.h"

namespace uncial {

/// Throws a usage Error that names the first of N labels on the host which is no class.
inline void check_labels(std::string_view what, const int64_t* labels, int64_t N, int64_t classes) {
  for (int64_t i = 0; i < N; ++i)
    require(labels[i] >= 0 && labels[i] < classes, what, ": label ", labels[i], " at index ", i,
            " is outside [0, ", classes, ").");
}

}  // namespace uncial

/// loss = weighted mean of -sum(target * log_softmax(logits)) over the rows, and gradient = dloss/dlogits,
/// where target = (1 - smoothing) * one_hot(label) + smoothing / classes and a row weighs
/// class_weights[label] (1 when null). Labels are in [0, classes). row_losses is scratch for logits.rows
/// values.
UNCIAL_KERNEL(cross_entropy, (Rows<const T> logits, const int64_t* labels, const T* class_weights,
                              double smoothing, double* row_losses, T* loss, T* gradient))
