#pragma once
#include "uncial/kernels/kernel.h"

/// loss = weighted mean of -sum(target * log_softmax(logits)) over the rows, and gradient = dloss/dlogits,
/// where target = (1 - smoothing) * one_hot(label) + smoothing / classes and a row weighs
/// class_weights[label] (1 when null). Labels are in [0, classes). row_losses is scratch for logits.rows
/// values.
UNCIAL_KERNEL(cross_entropy, (Rows<const T> logits, const int64_t* labels, const T* class_weights,
                              double smoothing, double* row_losses, T* loss, T* gradient))
