// Every lane has its own image, so windows need no shuffles, and conditions are lane masks. 2 x 2 windows
// side by side have code of their own: they are what networks use, and each pixel of dx belongs to one
// window.

#include "lane_pool.h"

#include "lane_doubles.h"
#include "lanes.h"
#include "largest.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneImage;
using uncial::cpu::LanePoolShape;
using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;

bool is_2x2(const LanePoolShape& s) { return s.kernel == 2 && s.stride == 2 && s.padding == 0; }

/// Calls body(p, q) for all pixels of a plane of y, in row-major order.
template <class Body>
[[gnu::always_inline]] inline void for_pixels(const LaneImage& y, const Body& body) {
  for (int64_t p = 0; p < y.H; ++p)
    for (int64_t q = 0; q < y.W; ++q) body(p, q);
}

[[gnu::always_inline]] inline float* pixel(const LaneImage& x, int64_t c, int64_t h, int64_t w) {
  return x.data + c * x.plane + h * x.row + w * kLanes;
}

/// The part of a window inside an image.
struct Window {
  int64_t top, bottom, left, right;

  [[gnu::always_inline]] Window(const LaneImage& x, const LanePoolShape& s, int64_t p, int64_t q) {
    const int64_t h = p * s.stride - s.padding, w = q * s.stride - s.padding;
    top = h > 0 ? h : 0;
    left = w > 0 ? w : 0;
    bottom = h + s.kernel < x.H ? h + s.kernel : x.H;
    right = w + s.kernel < x.W ? w + s.kernel : x.W;
  }
  [[gnu::always_inline]] float share() const { return 1.0f / float((bottom - top) * (right - left)); }
  /// Calls body(offset of the pixel in its plane) for all places, in row-major order.
  template <class Body>
  [[gnu::always_inline]] void for_places(const LaneImage& x, const Body& body) const {
    for (int64_t h = top; h < bottom; ++h)
      for (int64_t at = h * x.row + left * kLanes; at < h * x.row + right * kLanes; at += kLanes) body(at);
  }
};

/// Zeros in plane c; it is still in the cache when its windows are added.
[[gnu::always_inline]] inline void clear(const LaneImage& x, int64_t c) {
  for_pixels(x, [&](int64_t h, int64_t w) { store(pixel(x, c, h, w), V{}); });
}

void max_pool_2x2(const LaneImage& x, const LaneImage& y) {
  for (int64_t c = 0; c < y.C; ++c)
    for_pixels(y, [&](int64_t p, int64_t q) {
      const float *top = pixel(x, c, 2 * p, 2 * q), *bottom = top + x.row;
      store(pixel(y, c, p, q), first_largest(first_largest(load(top), load(top + kLanes)),
                                             first_largest(load(bottom), load(bottom + kLanes))));
    });
}

void max_pool(const LaneImage& x, LanePoolShape s, const LaneImage& y) {
  if (is_2x2(s)) return max_pool_2x2(x, y);
  for (int64_t c = 0; c < y.C; ++c)
    for_pixels(y, [&](int64_t p, int64_t q) {
      const Window window(x, s, p, q);
      const float* plane = x.data + c * x.plane;
      V most = load(pixel(x, c, window.top, window.left));
      window.for_places(x, [&](int64_t at) { most = first_largest(most, load(plane + at)); });
      store(pixel(y, c, p, q), most);
    });
}

/// dx of one 2 x 2 window.
[[gnu::always_inline]] inline void scatter_2x2(V dy, const float* x, int64_t x_row, float* dx,
                                               int64_t dx_row) {
  const V zero{};
  const V x0 = load(x), x1 = load(x + kLanes), x2 = load(x + x_row), x3 = load(x + x_row + kLanes);
  const auto up_right = beats(x1, x0), down_right = beats(x3, x2);
  const auto lower = beats(down_right ? x3 : x2, up_right ? x1 : x0);
  const V up = lower ? zero : dy, down = lower ? dy : zero;
  store(dx, up_right ? zero : up);
  store(dx + kLanes, up_right ? up : zero);
  store(dx + dx_row, down_right ? zero : down);
  store(dx + dx_row + kLanes, down_right ? down : zero);
}

void max_pool_gradient_2x2(const LaneImage& dy, const LaneImage& x, const LaneImage& dx) {
  for (int64_t c = 0; c < dx.C; ++c) {
    for_pixels(dy, [&](int64_t p, int64_t q) {
      scatter_2x2(load(pixel(dy, c, p, q)), pixel(x, c, 2 * p, 2 * q), x.row, pixel(dx, c, 2 * p, 2 * q),
                  dx.row);
    });
    for (int64_t h = 0; h < dx.H; ++h)  // the last row and column of odd extents belong to no window
      for (int64_t w = h < 2 * dy.H ? 2 * dy.W : 0; w < dx.W; ++w) store(pixel(dx, c, h, w), V{});
  }
}

void max_pool_gradient(const LaneImage& dy, const LaneImage& x, LanePoolShape s, const LaneImage& dx) {
  if (is_2x2(s)) return max_pool_gradient_2x2(dy, x, dx);
  typedef int32_t Places __attribute__((vector_size(kVectorBytes)));
  for (int64_t c = 0; c < dx.C; ++c) {
    const float* plane = x.data + c * x.plane;
    float* to = dx.data + c * dx.plane;
    clear(dx, c);
    for_pixels(dy, [&](int64_t p, int64_t q) {
      const Window window(x, s, p, q);
      V most = load(pixel(x, c, window.top, window.left));
      Places best = {};  // which place of the window it is, counted in reading order
      int32_t place = 0;
      window.for_places(x, [&](int64_t at) {
        const V v = load(plane + at);
        const auto better = beats(v, most);
        most = better ? v : most;
        best = better ? Places{} + place : best;
        ++place;
      });
      const V g = load(pixel(dy, c, p, q));
      place = 0;
      window.for_places(dx, [&](int64_t at) { store(to + at, load(to + at) + (best == place++ ? g : V{})); });
    });
  }
}

void average_pool(const LaneImage& x, LanePoolShape s, const LaneImage& y) {
  for (int64_t c = 0; c < y.C; ++c)
    for_pixels(y, [&](int64_t p, int64_t q) {
      const Window window(x, s, p, q);
      const float* plane = x.data + c * x.plane;
      V sum{};
      window.for_places(x, [&](int64_t at) { sum += load(plane + at); });
      store(pixel(y, c, p, q), sum * window.share());
    });
}

void average_pool_gradient(const LaneImage& dy, LanePoolShape s, const LaneImage& dx) {
  for (int64_t c = 0; c < dx.C; ++c) {
    float* to = dx.data + c * dx.plane;
    clear(dx, c);
    for_pixels(dy, [&](int64_t p, int64_t q) {
      const Window window(dx, s, p, q);
      const V g = load(pixel(dy, c, p, q)) * window.share();
      window.for_places(dx, [&](int64_t at) { store(to + at, load(to + at) + g); });
    });
  }
}

/// In float along a row, in double from row to row. Two sums take turns.
void pixel_sums(const LaneImage& x, const LaneImage& y) {
  for (int64_t c = 0; c < x.C; ++c) {
    LaneDoubles total;
    for (int64_t h = 0; h < x.H; ++h) {
      V sum[2] = {};
      int64_t w = 0;
      for (; w + 2 <= x.W; w += 2) {
        sum[0] += load(pixel(x, c, h, w));
        sum[1] += load(pixel(x, c, h, w + 1));
      }
      if (w < x.W) sum[0] += load(pixel(x, c, h, w));
      total.add(sum[0] + sum[1]);
    }
    double lanes[kLanes];
    total.to(lanes);
    for (int i = 0; i < kLanes; ++i) pixel(y, c, 0, 0)[i] = float(lanes[i]);
  }
}

void spread(const LaneImage& x, const LaneImage& y) {
  for (int64_t c = 0; c < y.C; ++c) {
    const V v = load(pixel(x, c, 0, 0));
    for_pixels(y, [&](int64_t p, int64_t q) { store(pixel(y, c, p, q), v); });
  }
}

}  // namespace

extern const uncial::cpu::LanePoolSimd lane_pool_simd = {
    kLanes, max_pool, max_pool_gradient, average_pool, average_pool_gradient, pixel_sums, spread};

}  // namespace UNCIAL_SIMD
