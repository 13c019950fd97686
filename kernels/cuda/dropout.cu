#include "uncial/kernels/dropout.h"

#include "vectors.h"

namespace uncial::cuda {
namespace {

constexpr int kThreads = 256, kQuadsAThread = 4;

/// A thread draws blocks of four words, and each masks four places of a row.
template <class T>
struct Dropout {
  Rows<const T> x;
  const int64_t *samples, *state;
  uint32_t threshold;
  T scale;
  T* y;
  int64_t row_quads;
  IndexDivider by_row;
  bool whole;  ///< quads may be read at once, and no row ends within one

  struct Place {
    int64_t row, first;
  };
  UNCIAL_BODY Place place(int64_t i) const {
    const int64_t row = by_row.quotient(i);
    return {row, (i - row * row_quads) * 4};
  }
  UNCIAL_BODY int64_t quads() const { return x.rows * row_quads; }

  UNCIAL_BODY void operator()(const Block& block) const {
    const int64_t first = block.index * kThreads * kQuadsAThread;
    block.each_thread([&](int t) {
      const DropoutMask mask = DropoutMask::of(state, threshold);
      Quad<T> in[kQuadsAThread];
      int64_t sample[kQuadsAThread];
      UNCIAL_UNROLL
      for (int j = 0; j < kQuadsAThread; ++j) {
        const int64_t i = first + j * kThreads + t;
        const Place at = place(i < quads() ? i : first);
        sample[j] = samples[at.row];
        in[j] = load(at);
      }
      UNCIAL_UNROLL
      for (int j = 0; j < kQuadsAThread; ++j) {
        const int64_t i = first + j * kThreads + t;
        if (i >= quads()) return;
        const Place at = place(i);
        const auto words = mask.row(sample[j]).block(uint64_t(at.first / 4));
        UNCIAL_UNROLL
        for (int k = 0; k < 4; ++k) in[j].v[k] = words[size_t(k)] < threshold ? T(0) : in[j].v[k] * scale;
        store(in[j], at);
      }
    });
  }
  UNCIAL_BODY Quad<T> load(const Place& at) const {
    const T* from = x.data + at.row * x.cols + at.first;
    if (whole) return Quad<T>::load(from);
    Quad<T> quad{};
    for (int k = 0; k < 4; ++k)
      if (at.first + k < x.cols) quad.v[k] = from[k];
    return quad;
  }
  UNCIAL_BODY void store(const Quad<T>& quad, const Place& at) const {
    T* to = y + at.row * x.cols + at.first;
    if (whole) return quad.store(to);
    for (int k = 0; k < 4; ++k)
      if (at.first + k < x.cols) to[k] = quad.v[k];
  }
};

}  // namespace

template <class T>
void dropout(Rows<const T> x, const int64_t* samples, const int64_t* state, uint32_t threshold, T scale,
             Rows<T> y) {
  const int64_t row_quads = ceil_div(x.cols, 4);
  const Dropout<T> body{x,
                        samples,
                        state,
                        threshold,
                        scale,
                        y.data,
                        row_quads,
                        IndexDivider(row_quads > 0 ? row_quads : 1, x.rows * row_quads),
                        x.cols % 4 == 0 && all_aligned(x.data, y.data)};
  each_block<kThreads>(ceil_div(body.quads(), kThreads * kQuadsAThread), kThreads, 0, body, "dropout");
}

template void dropout<float>(Rows<const float>, const int64_t*, const int64_t*, uint32_t, float, Rows<float>);
template void dropout<double>(Rows<const double>, const int64_t*, const int64_t*, uint32_t, double,
                              Rows<double>);

}  // namespace uncial::cuda
