#pragma once
/// @file conv.h
/// Convolutions (cross-correlations, as the field calls them) of N C H W images.

#include "uncial/core/precision.h"
#include "uncial/core/tensor.h"

namespace uncial {

/// Options of conv2d(); the same along both axes.
struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;  ///< zeros added on each side
  int64_t dilation = 1;
  int64_t groups = 1;                        ///< channels are cut into this many independent groups
  Precision precision = Precision::float32;  ///< of its gradients too; bf16 takes float32 tensors
};

/// x (N, C, H, W), w (K, C/groups, R, S), bias (K) or undefined -> (N, K, P, Q),
/// P = (H + 2*padding - dilation*(R - 1) - 1) / stride + 1. Float only.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias = {}, ConvOptions options = {});

/// Options of conv_transpose2d().
struct ConvTransposeOptions {
  int64_t stride = 1;
  int64_t padding = 0;         ///< rows and columns cut from each side of the result
  int64_t output_padding = 0;  ///< rows and columns added at the end; < stride
  int64_t dilation = 1;
  int64_t groups = 1;
  Precision precision = Precision::float32;
};

/// The transpose (gradient) of conv2d as an operator of its own: x (N, K, P, Q), w (K, C/groups, R, S), bias
/// (C)
/// -> (N, C, H, W), H = (P - 1)*stride - 2*padding + dilation*(R - 1) + output_padding + 1.
Tensor conv_transpose2d(const Tensor& x, const Tensor& w, const Tensor& bias = {},
                        ConvTransposeOptions options = {});

}  // namespace uncial
