// Several samples: some rows of weights at a time, which all samples share.

#include "channel_dense_parts.h"

namespace UNCIAL_SIMD {
namespace {

constexpr int64_t kAhead = 1024;  // bytes; the hardware's own prefetching stops at page ends

struct Layer {
  const float* x;
  int64_t D;
  const float *w, *bias;
  bool relu;
  float* y;
  int64_t K;
};

/// Rows [k, k + kR) for samples [n, n + kN).
template <int kR, int kN>
void block(const Layer& a, int64_t k, int64_t n) {
  constexpr int kParts = kN == 1 ? 2 : 1;  // sums a row
  const float *w = a.w + k * a.D, *x = a.x + n * a.D;
  V sum[kN][kR][kParts] = {};
  int64_t d = 0;
  for (; d + kParts * kLanes <= a.D; d += kParts * kLanes)
#pragma GCC unroll 2
    for (int i = 0; i < kParts; ++i) {
      V row[kR];
#pragma GCC unroll 4
      for (int r = 0; r < kR; ++r) {
        const float* at = w + r * a.D + d + i * kLanes;
        __builtin_prefetch(reinterpret_cast<const char*>(at) + kAhead);
        row[r] = load(at);
      }
#pragma GCC unroll 4
      for (int j = 0; j < kN; ++j) {
        const V pixel = load(x + j * a.D + d + i * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < kR; ++r) sum[j][r][i] += row[r] * pixel;
      }
    }
#pragma GCC unroll 4
  for (int j = 0; j < kN; ++j)
#pragma GCC unroll 4
    for (int r = 0; r < kR; ++r) {
      V both = sum[j][r][0];
      if constexpr (kParts == 2) both += sum[j][r][1];
      float total = lane_sum<float>(both);
      for (int64_t i = d; i < a.D; ++i) total += w[r * a.D + i] * x[j * a.D + i];
      if (a.bias) total += a.bias[k + r];
      a.y[(n + j) * a.K + k + r] = a.relu && 0.0f > total ? 0.0f : total;
    }
}

template <int kR>
void rows(const Layer& a, int64_t N, int64_t k) {
  int64_t n = 0;
  for (; n + 4 <= N; n += 4) block<kR, 4>(a, k, n);
  for (; n + 2 <= N; n += 2) block<kR, 2>(a, k, n);
  if (n < N) block<kR, 1>(a, k, n);
}

void forward(const float* x, int64_t N, int64_t D, const float* w, const float* bias, bool relu, float* y,
             int64_t K, int64_t k0, int64_t k1) {
  const Layer layer = {x, D, w, bias, relu, y, K};
  for (; k0 + 4 <= k1; k0 += 4) rows<4>(layer, N, k0);
  for (; k0 < k1; ++k0) rows<1>(layer, N, k0);
}

}  // namespace

extern const uncial::cpu::ChannelDenseSimd channel_dense_simd = {kLanes, kBlockVectors* kLanes, forward,
                                                                 dense_pack, dense_sums};

}  // namespace UNCIAL_SIMD
