// The weights of Winograd convolutions: G w G^T before, and G^T (sums) G after.

#include "winograd_matrices.h"
#include "winograd_products.h"

namespace UNCIAL_SIMD::winograd {
namespace {

/// G^T: 6 -> taps.
template <int kTapsHere>
[[gnu::always_inline]] inline void weight_gradient_row(const V* m, V* o) {
  const V s = (m[1] + m[2]) * (1.f / 6), d = (m[2] - m[1]) * (1.f / 6), u = m[3] + m[4], v = m[3] - m[4];
  o[0] = m[0] * .25f - s + u * (1.f / 24);
  o[1] = d + v * (1.f / 12);
  o[2] = u * (1.f / 6) - s;
  if constexpr (kTapsHere == 5) {
    o[3] = d + v * (1.f / 3);
    o[4] = u * (2.f / 3) - s;
  }
  o[kTapsHere - 1] += m[5];
}

/// Filters [k, k + kBlock) of channel c, filters side by side; zero beyond K and C.
template <int kFilterTaps>
void gather_filters(const float* w, int64_t C, int64_t K, int64_t k, int64_t c, float (*to)[kBlock]) {
  for (int tap = 0; tap < kFilterTaps; ++tap)
    for (int i = 0; i < kBlock; ++i)
      to[tap][i] = k + i < K && c < C ? w[((k + i) * C + c) * kFilterTaps + tap] : 0;
}

}  // namespace

template <int kEdge>
void transform_weights(const float* w, int64_t C, int64_t K, float* u, int64_t k0, int64_t k1) {
  constexpr int taps = kTaps<kEdge>;
  const int64_t step = weight_step(C), point = round_up(K, kBlock) / kBlock * step;
  for (int64_t k = k0; k < k1; k += kBlock)
    for (int64_t c = 0; c < round_up(C, kBlock); ++c) {
      float filters[taps * taps][kBlock];
      gather_filters<taps * taps>(w, C, K, k, c, filters);
      weight_tile<taps, kBlock* int(sizeof(float))>(filters, u + k / kBlock * step + c * kBlock, point);
    }
}

template <int kEdge>
void finish_weights(int64_t C, int64_t K, const float* sums, float* dw, int64_t k0, int64_t k1) {
  constexpr int taps = kTaps<kEdge>;
  const SumsLayout layout(C, K);
  for (int64_t k = k0; k < k1; ++k)
    for (int64_t c = 0; c < C; c += kLanes) {
      const float* from = sums + layout.offset(k, c / kLanes);
      V half[kPatch][taps];  // [column of the points][row of dw]
      for (int j = 0; j < kPatch; ++j) {
        V column[kPatch];
        for (int i = 0; i < kPatch; ++i) column[i] = load(from + (i * kPatch + j) * layout.point);
        weight_gradient_row<taps>(column, half[j]);
      }
      float filter[taps * taps][kLanes];
      for (int r = 0; r < taps; ++r) {
        V row[kPatch], o[taps];
        for (int j = 0; j < kPatch; ++j) row[j] = half[j][r];
        weight_gradient_row<taps>(row, o);
        for (int s = 0; s < taps; ++s) store<float>(filter[r * taps + s], o[s]);
      }
      for (int l = 0; l < kLanes && c + l < C; ++l)
        for (int tap = 0; tap < taps * taps; ++tap)
          dw[(k * C + c + l) * taps * taps + tap] =
              ChannelPanel::paired(C) ? filter[tap][2 * l] + filter[tap][2 * l + 1] : filter[tap][l];
    }
}

template void transform_weights<4>(const float*, int64_t, int64_t, float*, int64_t, int64_t);
template void transform_weights<2>(const float*, int64_t, int64_t, float*, int64_t, int64_t);
template void finish_weights<4>(int64_t, int64_t, const float*, float*, int64_t, int64_t);
template void finish_weights<2>(int64_t, int64_t, const float*, float*, int64_t, int64_t);

}  // namespace UNCIAL_SIMD::winograd
