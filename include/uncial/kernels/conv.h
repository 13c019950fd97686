#pragma once
/// @file conv.h
/// Convolution and its two gradients over N C H W images.

#include "uncial/kernels/kernel.h"

namespace uncial {

/// Extents of one convolution, already checked. C and K count all groups.
struct ConvExtents {
  int64_t N, C, H, W, K, R, S, P, Q;
  int64_t stride, padding, dilation, groups;
  bool few_bits = false;  ///< 11 bits of each factor will do: they have no more, or the precision is tf32
};

}  // namespace uncial

/// y (N, K, P, Q) = x (N, C, H, W) * w (K, C/groups, R, S) + bias (K, or nullptr)
UNCIAL_KERNEL(conv2d, (const ConvExtents& e, const T* x, const T* w, const T* bias, T* y))
/// dx (N, C, H, W): the transpose of conv2d applied to dy, + bias (C, or nullptr) in every pixel
UNCIAL_KERNEL(conv2d_input_gradient, (const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx))
/// dw (K, C/groups, R, S)
UNCIAL_KERNEL(conv2d_weight_gradient, (const ConvExtents& e, const T* x, const T* dy, T* dw))
