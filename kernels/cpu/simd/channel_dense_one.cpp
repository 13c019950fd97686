// One sample: the rows of packed weights whose input is not 0, in as many vectors of sums as a multiply-add's
// latency asks for. Which rows come is known before, so they are asked for ahead of the hardware, which would
// have to guess.

#include "channel_dense_parts.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::DenseWeights;
constexpr int kAhead = 8;  // rows

template <int kV>
void sum_rows(const float* x, const int32_t* list, int64_t count, const float* packed, float* sums) {
  constexpr int kWidth = kV * kLanes, kAtOnce = kBlockVectors / kV;
  V sum[kAtOnce][kV] = {};
  const auto row = [&](int64_t i, int u) __attribute__((always_inline)) {
    const char* next = reinterpret_cast<const char*>(packed + int64_t(list[i + kAhead]) * kWidth);
#pragma GCC unroll 8
    for (int line = 0; line < kWidth * int(sizeof(float)); line += 64) __builtin_prefetch(next + line);
    const float *w = packed + int64_t(list[i]) * kWidth, input = x[list[i]];
#pragma GCC unroll 8
    for (int v = 0; v < kV; ++v) sum[u][v] += input * load(w + v * kLanes);
  };
  int64_t i = 0;
  for (; i + kAtOnce <= count; i += kAtOnce)
#pragma GCC unroll 8
    for (int u = 0; u < kAtOnce; ++u) row(i + u, u);
  for (; i < count; ++i) row(i, 0);
#pragma GCC unroll 8
  for (int v = 0; v < kV; ++v) {
#pragma GCC unroll 8
    for (int u = 1; u < kAtOnce; ++u) sum[0][v] += sum[u][v];
    store(sums + v * kLanes, sum[0][v]);
  }
}

/// Places of inputs that count, and some more behind them for what looks ahead.
int64_t make_list(const float* x, int64_t d0, int64_t d1, bool skip, int32_t* list) {
  int64_t count = 0;
  for (int64_t d = d0; d < d1; ++d) {
    list[count] = int32_t(d);
    count += !skip || x[d] != 0;
  }
  for (int i = 0; i < kAhead; ++i) list[count + i] = int32_t(count > 0 ? list[count - 1] : d0);
  return count;
}

template <int kV>
void pick_sums(int64_t vectors, const float* x, const int32_t* list, int64_t count, const float* packed,
               float* sums) {
  if constexpr (kV > 1)
    if (vectors < kV) return pick_sums<kV - 1>(vectors, x, list, count, packed, sums);
  sum_rows<kV>(x, list, count, packed, sums);
}

}  // namespace

bool dense_pack(const DenseWeights& weights, int64_t k0, int64_t d0, int64_t d1, float* packed) {
  const int64_t outputs = weights.K - k0 < kBlockVectors * kLanes ? weights.K - k0 : kBlockVectors * kLanes;
  const int64_t width = (outputs + kLanes - 1) / kLanes * kLanes;
  bool finite = true;
  for (int64_t first = d0; first < d1; first += 16)  // a line of w at a time
    for (int64_t k = 0; k < width; ++k)
      for (int64_t d = first; d < d1 && d < first + 16; ++d) {
        const float value = k < outputs ? weights.w[(k0 + k) * weights.output + d * weights.input] : 0;
        finite = finite && value - value == 0;
        packed[d * width + k] = value;
      }
  return finite;
}

void dense_sums(const float* x, int64_t d0, int64_t d1, const float* packed, int64_t outputs, bool skip,
                int32_t* list, float* sums) {
  const int64_t count = make_list(x, d0, d1, skip, list);
  pick_sums<kBlockVectors>((outputs + kLanes - 1) / kLanes, x, list, count, packed, sums);
}

}  // namespace UNCIAL_SIMD
