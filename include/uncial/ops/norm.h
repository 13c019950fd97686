#pragma once
/// @file norm.h
/// Normalisation.

#include "uncial/core/tensor.h"

namespace uncial {

/// What batch_norm() returns in training.
struct BatchNormResult {
  Tensor y;
  Tensor mean, variance;  ///< of this batch, (C); variance divided by n; both cut off from the tape
};

/// Normalises each channel over the batch: x (N, C) or (N, C, ...), scale and shift (C) or undefined.
/// y = (x - mean) / sqrt(variance + epsilon) * scale + shift. Source: Ioffe & Szegedy, 2015.
BatchNormResult batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon = 1e-5);
/// The same with given statistics (C): evaluation.
Tensor batch_norm_inference(const Tensor& x, const Tensor& scale, const Tensor& shift, const Tensor& mean,
                            const Tensor& variance, double epsilon = 1e-5);
/// Normalises over the last axis; scale and shift have its extent, or are undefined. Source: Ba et al., 2016.
Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon = 1e-5);

}  // namespace uncial
