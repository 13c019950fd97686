#pragma once
/// @file channel_dense_parts.h
/// What dense layers of few samples (channel_dense.h) are made of.

#include "channel_dense.h"
#include "lanes.h"

namespace UNCIAL_SIMD {

using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;
constexpr int kBlockVectors = 8;  ///< of outputs

bool dense_pack(const uncial::cpu::DenseWeights& weights, int64_t k0, int64_t d0, int64_t d1, float* packed);
void dense_sums(const float* x, int64_t d0, int64_t d1, const float* packed, int64_t outputs, bool skip,
                int32_t* list, float* sums);

}  // namespace UNCIAL_SIMD
