// 2 x 2 max pooling. A vector of neighbours is split into its even and odd places, so that each lane holds
// one window; conditions are lane masks, never branches.

#include "pool_2x2.h"

#include "lanes.h"
#include "largest.h"

namespace UNCIAL_SIMD {
namespace {

/// Where the winners of windows with the places above.even, above.odd, below.even, below.odd get their dy.
template <class V, class P>
[[gnu::always_inline]] inline void scatter(V dy, const P& above, const P& below, P& dabove, P& dbelow) {
  const V zero{};
  const auto lower = beats(first_largest(below.even, below.odd), first_largest(above.even, above.odd));
  const V up = lower ? zero : dy, down = lower ? dy : zero;
  const auto up_right = beats(above.odd, above.even), down_right = beats(below.odd, below.even);
  dabove = {up_right ? zero : up, up_right ? up : zero};
  dbelow = {down_right ? zero : down, down_right ? down : zero};
}

/// Windows [q, ...) of a row in whole vectors of kBytes; returns how far it came.
template <int kBytes, class T>
[[gnu::always_inline]] inline int64_t max_vectors(const T* top, const T* bottom, T* y, int64_t q, int64_t Q) {
  using P = Pairs<T, kBytes>;
  for (; q + P::n <= Q; q += P::n) {
    const P above = P::from(top + 2 * q), below = P::from(bottom + 2 * q);
    store<T, kBytes>(
        y + q, first_largest(first_largest(above.even, above.odd), first_largest(below.even, below.odd)));
  }
  return q;
}
template <int kBytes, class T>
[[gnu::always_inline]] inline int64_t scatter_vectors(const T* dy, const T* top, const T* bottom, T* dtop,
                                                      T* dbottom, int64_t q, int64_t Q) {
  using P = Pairs<T, kBytes>;
  for (; q + P::n <= Q; q += P::n) {
    P dabove, dbelow;
    scatter(load<T, kBytes>(dy + q), P::from(top + 2 * q), P::from(bottom + 2 * q), dabove, dbelow);
    dabove.to(dtop + 2 * q);
    dbelow.to(dbottom + 2 * q);
  }
  return q;
}

/// The smallest vectors: also the padded home of what is left of a row.
constexpr int kSmallest = 16;
template <class T>
constexpr int kTail = Lanes<T, kSmallest>::count;

// Rows of small images are shorter than the widest vector (12 windows after the first convolution of the
// usual network), and scalar code would mispredict half of its branches: so halves, quarters, and a padded
// rest.
template <class T>
void max_row(const T* top, const T* bottom, T* y, int64_t Q) {
  int64_t q = 0;
  if constexpr (kVectorBytes >= 64) q = max_vectors<64>(top, bottom, y, q, Q);
  if constexpr (kVectorBytes >= 32) q = max_vectors<32>(top, bottom, y, q, Q);
  q = max_vectors<kSmallest>(top, bottom, y, q, Q);
  if (q == Q) return;
  T pixels[2][2 * kTail<T>] = {}, rest[kTail<T>];
  for (int64_t i = 0; i < 2 * (Q - q); ++i) pixels[0][i] = top[2 * q + i], pixels[1][i] = bottom[2 * q + i];
  max_vectors<kSmallest>(pixels[0], pixels[1], rest, 0, kTail<T>);
  for (int64_t i = 0; q < Q; ++i, ++q) y[q] = rest[i];
}

template <class T>
void max_scatter_row(const T* dy, const T* top, const T* bottom, T* dtop, T* dbottom, int64_t Q) {
  int64_t q = 0;
  if constexpr (kVectorBytes >= 64) q = scatter_vectors<64>(dy, top, bottom, dtop, dbottom, q, Q);
  if constexpr (kVectorBytes >= 32) q = scatter_vectors<32>(dy, top, bottom, dtop, dbottom, q, Q);
  q = scatter_vectors<kSmallest>(dy, top, bottom, dtop, dbottom, q, Q);
  if (q == Q) return;
  T pixels[2][2 * kTail<T>] = {}, gradients[2][2 * kTail<T>], rest[kTail<T>] = {};
  for (int64_t i = 0; i < Q - q; ++i) rest[i] = dy[q + i];
  for (int64_t i = 0; i < 2 * (Q - q); ++i) pixels[0][i] = top[2 * q + i], pixels[1][i] = bottom[2 * q + i];
  scatter_vectors<kSmallest>(rest, pixels[0], pixels[1], gradients[0], gradients[1], 0, kTail<T>);
  for (int64_t i = 0; i < 2 * (Q - q); ++i)
    dtop[2 * q + i] = gradients[0][i], dbottom[2 * q + i] = gradients[1][i];
}

template <class T>
void max(const T* x, T* y, int64_t W, int64_t P, int64_t Q) {
  for (int64_t p = 0; p < P; ++p) max_row(x + 2 * p * W, x + (2 * p + 1) * W, y + p * Q, Q);
}

template <class T>
void max_scatter(const T* dy, const T* x, T* dx, int64_t W, int64_t P, int64_t Q) {
  for (int64_t p = 0; p < P; ++p) {
    const int64_t top = 2 * p * W, bottom = top + W;
    max_scatter_row(dy + p * Q, x + top, x + bottom, dx + top, dx + bottom, Q);
    for (int64_t w = 2 * Q; w < W; ++w) dx[top + w] = dx[bottom + w] = 0;
  }
}

}  // namespace

extern const uncial::cpu::PoolSimd pool_simd = {{max<float>, max_scatter<float>},
                                                {max<double>, max_scatter<double>}};

}  // namespace UNCIAL_SIMD
