#pragma once
/// @file conv_any.h
/// Convolutions by their definition, for what cuDNN does not take and for the emulator.

#include "uncial/kernels/conv.h"

namespace uncial::cuda {

template <class T>
void conv2d_any(const ConvExtents& e, const T* x, const T* w, const T* bias, T* y);
template <class T>
void conv2d_input_gradient_any(const ConvExtents& e, const T* dy, const T* w, const T* bias, T* dx);
template <class T>
void conv2d_weight_gradient_any(const ConvExtents& e, const T* x, const T* dy, T* dw);

}  // namespace uncial::cuda
