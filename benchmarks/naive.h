#pragma once
// The formulas, written to be right: sums in double, no blocking, one thread. What everybody else is held to.

#include "uncial/kernels/conv.h"
#include "uncial/kernels/pool.h"

namespace uncial::bench::naive {

void conv_forward(const ConvExtents& e, const float* x, const float* w, float* y);
void conv_input_gradient(const ConvExtents& e, const float* dy, const float* w, float* dx);
void conv_weight_gradient(const ConvExtents& e, const float* x, const float* dy, float* dw);
/// c (M, N) = a (M, K) times b (N, K) transposed.
void product(int64_t M, int64_t N, int64_t K, const float* a, const float* b, float* c);
void max_pool(const PoolExtents& e, const float* x, float* y);
void average_pool(const PoolExtents& e, const float* x, float* y);

}  // namespace uncial::bench::naive
