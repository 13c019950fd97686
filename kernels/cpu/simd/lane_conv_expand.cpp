// Output gradients as plain rows.

#include "lane_conv_parts.h"

namespace UNCIAL_SIMD {
namespace {

/// out[q] = dy(q) for q < columns, zeros up to Q; the sum of all is added to `total`.
template <class At>
[[gnu::always_inline]] inline void fill_row(float* out, int64_t columns, int64_t Q, float* total, At dy) {
  V sum{};
  int64_t q = 0;
  for (; q < columns; ++q) {
    const V v = dy(q);
    store(out + q * kLanes, v);
    sum += v;
  }
  for (; q < Q; ++q) store(out + q * kLanes, V{});
  if (total) store(total, load(total) + sum);
}

void pooled_row_of(const LaneGradient& g, int64_t k, int64_t p, float* out, float* total) {
  const int64_t P = g.P / 2, Q = g.Q / 2;
  V sum{};
  int64_t q = 0;
  if (p / 2 < P) {
    const float* dy = g.dy.data + k * g.dy.plane + p / 2 * g.dy.row;
    const WinnerCode* winners = g.winners + (k * P + p / 2) * Q * kLanes;
    const int left = int(p % 2 * 2);
    for (; q < Q; ++q) {
      const V at_left = where_code(winners + q * kLanes, left, dy + q * kLanes) * g.scale,
              at_right = where_code(winners + q * kLanes, left + 1, dy + q * kLanes) * g.scale;
      store(out + 2 * q * kLanes, at_left);
      store(out + (2 * q + 1) * kLanes, at_right);
      sum += at_left + at_right;
    }
  }
  for (q *= 2; q < g.Q; ++q) store(out + q * kLanes, V{});
  if (total) store(total, load(total) + sum);
}

}  // namespace

void expand_row(const LaneGradient& g, int64_t k0, int64_t K, int64_t p, float* out, int64_t plane,
                float* bias_sums) {
  for (int64_t k = k0; k < k0 + K; ++k, out += plane) {
    float* total = bias_sums ? bias_sums + k * kLanes : nullptr;
    const int64_t offset = k * g.dy.plane + p * g.dy.row;
    if (g.winners) {
      pooled_row_of(g, k, p, out, total);
    } else if (g.relu_y) {
      fill_row(
          out, g.Q, g.Q, total, [&](int64_t q) __attribute__((always_inline)) {
            return load(g.relu_y + offset + q * kLanes) > V{} ? load(g.dy.data + offset + q * kLanes) : V{};
          });
    } else {
      fill_row(
          out, g.Q, g.Q, total, [&](int64_t q) __attribute__((always_inline)) {
            return load(g.dy.data + offset + q * kLanes);
          });
    }
  }
}

}  // namespace UNCIAL_SIMD
