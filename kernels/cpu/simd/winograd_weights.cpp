// The weights of Winograd convolutions: G w G^T before, and G^T (sums) G after.

#include "winograd_matrices.h"
#include "winograd_products.h"

namespace UNCIAL_SIMD::winograd {
namespace {

/// G^T: 6 -> 3.
[[gnu::always_inline]] inline void weight_gradient_row(const V* m, V* o) {
  const V s = (m[1] + m[2]) * (1.f / 6), d = (m[2] - m[1]) * (1.f / 6), u = m[3] + m[4], v = m[3] - m[4];
  o[0] = m[0] * .25f - s + u * (1.f / 24);
  o[1] = d + v * (1.f / 12);
  o[2] = u * (1.f / 6) - s + m[5];
}

/// Filters [k, k + kBlock) of channel c, filters side by side; zero beyond K and C.
void gather_filters(const float* w, int64_t C, int64_t K, int64_t k, int64_t c, float (*to)[kBlock]) {
  for (int tap = 0; tap < 9; ++tap)
    for (int i = 0; i < kBlock; ++i) to[tap][i] = k + i < K && c < C ? w[((k + i) * C + c) * 9 + tap] : 0;
}

}  // namespace

void transform_weights(const float* w, int64_t C, int64_t K, float* u, int64_t k0, int64_t k1) {
  const int64_t step = weight_step(C), point = round_up(K, kBlock) / kBlock * step;
  for (int64_t k = k0; k < k1; k += kBlock)
    for (int64_t c = 0; c < round_up(C, kBlock); ++c) {
      float filters[9][kBlock];
      gather_filters(w, C, K, k, c, filters);
      weight_tile<kBlock* int(sizeof(float))>(filters, u + k / kBlock * step + c * kBlock, point);
    }
}

void finish_weights(int64_t C, int64_t K, const float* sums, float* dw, int64_t k0, int64_t k1) {
  const SumsLayout layout(C, K);
  for (int64_t k = k0; k < k1; ++k)
    for (int64_t c = 0; c < C; c += kLanes) {
      const float* from = sums + layout.offset(k, c / kLanes);
      V half[6][3];  // [column of the points][row of dw]
      for (int j = 0; j < 6; ++j) {
        V column[6];
        for (int i = 0; i < 6; ++i) column[i] = load(from + (i * 6 + j) * layout.point);
        weight_gradient_row(column, half[j]);
      }
      float taps[9][kLanes];
      for (int r = 0; r < 3; ++r) {
        V row[6], o[3];
        for (int j = 0; j < 6; ++j) row[j] = half[j][r];
        weight_gradient_row(row, o);
        for (int s = 0; s < 3; ++s) store<float>(taps[r * 3 + s], o[s]);
      }
      for (int l = 0; l < kLanes && c + l < C; ++l)
        for (int tap = 0; tap < 9; ++tap) dw[(k * C + c + l) * 9 + tap] = taps[tap][l];
    }
}

}  // namespace UNCIAL_SIMD::winograd
