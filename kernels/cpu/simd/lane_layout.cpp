// Squares of L samples by L neighbouring floats, transposed in registers: a line of cache is read and written
// whole, and the shuffles (4 an output vector for L = 16) cost about what the loads and stores do.

#include "lane_layout.h"

#include "lane_transpose.h"
#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneImage;
using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;

/// y[i][s] = x[s][i] for i < kLanes; 0 in lanes from `samples` on.
[[gnu::always_inline]] inline void load_square(const float* x, int64_t samples, int64_t distance, float* y) {
  V rows[kLanes];
#pragma GCC unroll 16
  for (int s = 0; s < kLanes; ++s) rows[s] = s < samples ? load(x + s * distance) : V{};
  transpose_square(rows);
#pragma GCC unroll 16
  for (int s = 0; s < kLanes; ++s) store(y + s * kLanes, rows[s]);
}

[[gnu::always_inline]] inline void store_square(const float* x, float* y, int64_t samples, int64_t distance) {
  V rows[kLanes];
#pragma GCC unroll 16
  for (int s = 0; s < kLanes; ++s) rows[s] = load(x + s * kLanes);
  transpose_square(rows);
#pragma GCC unroll 16
  for (int s = 0; s < kLanes; ++s)
    if (s < samples) store(y + s * distance, rows[s]);
}

/// Calls square(i) for squares that cover [0, n): the last one ends at n and may overlap the one before,
/// which costs less than a narrower tail. Returns false, having done nothing, where n < kLanes.
template <class Square>
[[gnu::always_inline]] inline bool for_squares(int64_t n, const Square& square) {
  if (n < kLanes) return false;
  for (int64_t i = 0; i + kLanes <= n; i += kLanes) square(i);
  if (n % kLanes) square(n - kLanes);
  return true;
}

template <bool full>
void load_run(const float* x, int64_t n, int64_t samples, int64_t distance, float* y) {
  if (full) samples = kLanes;
  if (for_squares(n, [=](int64_t i) { load_square(x + i, samples, distance, y + i * kLanes); })) return;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t s = 0; s < kLanes; ++s) y[i * kLanes + s] = s < samples ? x[s * distance + i] : 0.0f;
}

template <bool full>
void store_run(const float* x, int64_t n, float* y, int64_t samples, int64_t distance) {
  if (full) samples = kLanes;
  if (for_squares(n, [=](int64_t i) { store_square(x + i * kLanes, y + i, samples, distance); })) return;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t s = 0; s < samples; ++s) y[s * distance + i] = x[i * kLanes + s];
}

/// Calls run(offset in a sample, first vector, length) for the longest runs of pixels that are neighbours in
/// the image too: all of it, planes, or rows.
template <class Run>
[[gnu::always_inline]] inline void for_runs(const LaneImage& image, const Run& run) {
  const int64_t pixels = image.H * image.W;
  const bool whole_planes = image.row == image.W * kLanes || image.H == 1;
  if (whole_planes && (image.plane == pixels * kLanes || image.C == 1))
    return run(0, image.data, image.C * pixels);
  for (int64_t c = 0; c < image.C; ++c) {
    float* plane = image.data + c * image.plane;
    if (whole_planes) {
      run(c * pixels, plane, pixels);
    } else {
      for (int64_t h = 0; h < image.H; ++h) run(c * pixels + h * image.W, plane + h * image.row, image.W);
    }
  }
}

void load_group(const float* x, int64_t samples, int64_t distance, const LaneImage& y) {
  const auto run = samples == kLanes ? load_run<true> : load_run<false>;
  for_runs(y, [=](int64_t i, float* to, int64_t n) { run(x + i, n, samples, distance, to); });
}

void store_group(const LaneImage& x, float* y, int64_t samples, int64_t distance) {
  const auto run = samples == kLanes ? store_run<true> : store_run<false>;
  for_runs(x, [=](int64_t i, float* from, int64_t n) { run(from, n, y + i, samples, distance); });
}

[[gnu::always_inline]] inline void clear(float* y, int64_t vectors) {
  for (int64_t i = 0; i < vectors; ++i) store(y + i * kLanes, V{});
}

void clear_halo(const LaneImage& x, int64_t before, int64_t below, int64_t behind) {
  const int64_t width = before + x.W + behind;
  for (int64_t c = 0; c < x.C; ++c) {
    float* first = x.data + c * x.plane - before * kLanes;  // column -before of row 0
    for (int64_t h = -before; h < x.H + below; ++h) {
      float* row = first + h * x.row;
      if (h < 0 || h >= x.H) {
        clear(row, width);
      } else {
        clear(row, before);
        clear(row + (before + x.W) * kLanes, behind);
      }
    }
  }
}

}  // namespace

extern const uncial::cpu::LaneLayoutSimd lane_layout_simd = {kLanes, load_group, store_group, clear_halo};

}  // namespace UNCIAL_SIMD
