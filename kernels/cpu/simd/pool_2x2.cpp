// 2 x 2 max pooling. A vector of neighbours is split into its even and odd places, so that each lane holds
// one window; conditions are lane masks, never branches. The same formulas serve vectors and the tail's
// scalars.

#include "pool_2x2.h"

#include <utility>

#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

/// Whether `a`, met after `best`, replaces it: it is larger, or the first NaN. A lane mask for vectors.
template <class V>
[[gnu::always_inline]] inline auto beats(V a, V best) {
  return (a > best) | ((a != a) & (best == best));
}

template <class V>
[[gnu::always_inline]] inline V winner(V first, V second) {
  return beats(second, first) ? second : first;
}

/// Splits 2 * count neighbours into even and odd places, and puts them together again.
template <class T, class = std::make_integer_sequence<int, Lanes<T>::count>>
struct Pairs;
template <class T, int... I>
struct Pairs<T, std::integer_sequence<int, I...>> {
  using V = typename Lanes<T>::V;
  static constexpr int n = Lanes<T>::count;
  V even, odd;

  [[gnu::always_inline]] static Pairs from(const T* p) {
    const V low = load(p), high = load(p + n);
    return {__builtin_shufflevector(low, high, 2 * I...), __builtin_shufflevector(low, high, 2 * I + 1 ...)};
  }
  [[gnu::always_inline]] void to(T* p) const {
    store(p, __builtin_shufflevector(even, odd, (I / 2 + I % 2 * n)...));
    store(p + n, __builtin_shufflevector(even, odd, (n / 2 + I / 2 + I % 2 * n)...));
  }
};
template <class T>
struct Pair {
  T even, odd;
};

/// Where the winners of windows with the places above.even, above.odd, below.even, below.odd get their dy.
template <class V, class P>
[[gnu::always_inline]] inline void scatter(V dy, P above, P below, P& dabove, P& dbelow) {
  const V zero{};
  const auto lower = beats(winner(below.even, below.odd), winner(above.even, above.odd));
  const V up = lower ? zero : dy, down = lower ? dy : zero;
  const auto up_right = beats(above.odd, above.even), down_right = beats(below.odd, below.even);
  dabove = {up_right ? zero : up, up_right ? up : zero};
  dbelow = {down_right ? zero : down, down_right ? down : zero};
}

template <class T>
void max_row(const T* top, const T* bottom, T* y, int64_t Q) {
  constexpr int n = Lanes<T>::count;
  int64_t q = 0;
  for (; q + n <= Q; q += n) {
    const auto above = Pairs<T>::from(top + 2 * q), below = Pairs<T>::from(bottom + 2 * q);
    store(y + q, winner(winner(above.even, above.odd), winner(below.even, below.odd)));
  }
  for (; q < Q; ++q)
    y[q] = winner(winner(top[2 * q], top[2 * q + 1]), winner(bottom[2 * q], bottom[2 * q + 1]));
}

template <class T>
void max_scatter_row(const T* dy, const T* top, const T* bottom, T* dtop, T* dbottom, int64_t Q) {
  constexpr int n = Lanes<T>::count;
  int64_t q = 0;
  for (; q + n <= Q; q += n) {
    Pairs<T> dabove, dbelow;
    scatter(load(dy + q), Pairs<T>::from(top + 2 * q), Pairs<T>::from(bottom + 2 * q), dabove, dbelow);
    dabove.to(dtop + 2 * q);
    dbelow.to(dbottom + 2 * q);
  }
  for (; q < Q; ++q) {
    Pair<T> dabove, dbelow;
    scatter(dy[q], Pair<T>{top[2 * q], top[2 * q + 1]}, Pair<T>{bottom[2 * q], bottom[2 * q + 1]}, dabove,
            dbelow);
    dtop[2 * q] = dabove.even, dtop[2 * q + 1] = dabove.odd;
    dbottom[2 * q] = dbelow.even, dbottom[2 * q + 1] = dbelow.odd;
  }
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
