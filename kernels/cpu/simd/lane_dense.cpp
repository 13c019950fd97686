// All three products are sums of a vector times a broadcast scalar, and share one register block: kOut
// outputs (a scalar each) by kVectors vectors. The weights and dy are read as scalars where they lie; only
// the weight gradient rearranges x, so that its samples become the summed index and its features the lanes:
// no sum over lanes is left at the end. Every sum runs over its index in ascending order, however the blocks
// are cut.

#include "lane_dense.h"

#include "lane_transpose.h"
#include "lanes.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneMatrix;
using V = Lanes<float>::V;
constexpr int kLanes = Lanes<float>::count;

// The largest blocks for 1, 2, ... vectors: as many accumulators as leave registers for the vectors and a
// broadcast, and at least 8, because a multiply-add takes 4 cycles and two start in each.
#if defined(UNCIAL_SIMD_avx512)
constexpr int kMaxVectors = 4, kMaxOut[] = {12, 12, 8, 6};
#elif defined(UNCIAL_SIMD_avx2)
constexpr int kMaxVectors = 2, kMaxOut[] = {12, 6};
#else
constexpr int kMaxVectors = 2, kMaxOut[] = {8, 4};
#endif

/// The summed index is walked in chunks whose vectors (4 groups: 24 KB) stay in the first-level cache while
/// all outputs pass over them.
constexpr int64_t kChunk = 96;
constexpr int64_t kLine = 16;  // floats in a line of cache

constexpr int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

/// `count` floats in equal parts of at most `most`: their number.
constexpr int64_t parts_of(int64_t count, int64_t most) { return (count + most - 1) / most; }

/// y[i][j] = start[i][j] + sum over l of scalar(i, l) * vector(j, l). The scalars of one l are out_step
/// apart; after `run` values of l they go on run_step further (one group of samples to the next).
struct Product {
  const float* scalars;
  int64_t out_step, in_step, run, run_step;
  const float* vectors;
  int64_t vector_step, vector_in_step;
  int64_t count;
  const float* bias;  ///< start, one an output; or null
  bool add;           ///< start with y
  float* y;
  int64_t y_out_step, y_vector_step;
};

template <int kOut, int kVectors>
void multiply(const Product& p) {
  V sum[kOut][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kOut; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = p.add ? load(p.y + i * p.y_out_step + j * p.y_vector_step) : V{};
      if (p.bias) sum[i][j] += p.bias[i];
    }
  const float *scalars = p.scalars, *vectors = p.vectors;
  const int64_t out_step = p.out_step, in_step = p.in_step;
  const int64_t vector_step = p.vector_step, vector_in_step = p.vector_in_step;
  for (int64_t done = 0; done < p.count; done += p.run, scalars += p.run_step) {
    const float* scalar = scalars;
    for (int64_t l = lesser(p.run, p.count - done); l > 0; --l) {
      V vector[kVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) vector[j] = load(vectors + j * vector_step);
#pragma GCC unroll 16
      for (int i = 0; i < kOut; ++i) {
        const float s = scalar[i * out_step];
#pragma GCC unroll 4
        for (int j = 0; j < kVectors; ++j) sum[i][j] += s * vector[j];
      }
      scalar += in_step;
      vectors += vector_in_step;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kOut; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) store(p.y + i * p.y_out_step + j * p.y_vector_step, sum[i][j]);
}

using Multiply = void (*)(const Product&);

/// multiply<out, vectors> for numbers known at run time.
template <int kOut, int kVectors>
Multiply block(int64_t out, int64_t vectors) {
  if (vectors < kVectors) {
    if constexpr (kVectors > 1) return block<kMaxOut[kVectors - 2], kVectors - 1>(out, vectors);
  } else if (out < kOut) {
    if constexpr (kOut > 1) return block<kOut - 1, kVectors>(out, vectors);
  }
  return multiply<kOut, kVectors>;
}

/// Calls body(k, rows, product of that size) for outputs [0, K) in blocks of nearly equal numbers of rows.
template <class Body>
[[gnu::always_inline]] inline void for_outputs(int64_t K, int64_t vectors, const Body& body) {
  const int64_t blocks = parts_of(K, kMaxOut[vectors - 1]);
  for (int64_t b = 0, k = 0; b < blocks; ++b) {
    const int64_t rows = (K - k + blocks - b - 1) / (blocks - b);
    body(k, rows, block<kMaxOut[kMaxVectors - 1], kMaxVectors>(rows, vectors));
    k += rows;
  }
}

/// Asks for the lines of `rows` rows, each `length` floats, into the second-level cache.
[[gnu::always_inline]] inline void prefetch(const float* p, int64_t rows, int64_t step, int64_t length) {
  for (int64_t r = 0; r < rows; ++r, p += step)
    for (int64_t i = 0; i < length; i += kLine) __builtin_prefetch(p + i, 0, 2);
}

void forward(const LaneMatrix& x, int64_t groups, const float* w, int64_t pitch, const float* bias,
             const LaneMatrix& y, int64_t k0, int64_t k1, int64_t d0, int64_t d1, bool add) {
  int64_t d = d0;
  do {  // at least once: without features, y is the bias
    const int64_t count = lesser(kChunk, d1 - d), next = lesser(kChunk, d1 - d - count);
    const int64_t group_blocks = parts_of(groups, kMaxVectors);
    for (int64_t b = 0, g = 0; b < group_blocks; ++b) {
      const int64_t vectors = (groups - g + group_blocks - b - 1) / (group_blocks - b);
      const float* chunk = x.data + g * x.distance + d * kLanes;
      for_outputs(k1 - k0, vectors, [&](int64_t i, int64_t rows, Multiply product) {
        const int64_t k = k0 + i;
        if (b == 0) prefetch(w + k * pitch + d + count, rows, pitch, next);
        product({.scalars = w + k * pitch + d,
                 .out_step = pitch,
                 .in_step = 1,
                 .run = count,
                 .run_step = 0,
                 .vectors = chunk,
                 .vector_step = x.distance,
                 .vector_in_step = kLanes,
                 .count = count,
                 .bias = bias && d == d0 ? bias + k : nullptr,
                 .add = add || d > d0,
                 .y = y.data + g * y.distance + k * kLanes,
                 .y_out_step = kLanes,
                 .y_vector_step = y.distance});
      });
      g += vectors;
    }
    d += count;
  } while (d < d1);
}

void input_gradient(const LaneMatrix& dy, int64_t groups, const float* w, int64_t pitch, int64_t K,
                    const LaneMatrix& dx, int64_t d0, int64_t d1) {
  int64_t k = 0;
  do {
    const int64_t count = lesser(kChunk, K - k);
    const int64_t group_blocks = parts_of(groups, kMaxVectors);
    for (int64_t b = 0, g = 0; b < group_blocks; ++b) {
      const int64_t vectors = (groups - g + group_blocks - b - 1) / (group_blocks - b);
      for_outputs(d1 - d0, vectors, [&](int64_t i, int64_t, Multiply product) {
        const int64_t d = d0 + i;
        product({.scalars = w + k * pitch + d,
                 .out_step = 1,
                 .in_step = pitch,
                 .run = count,
                 .run_step = 0,
                 .vectors = dy.data + g * dy.distance + k * kLanes,
                 .vector_step = dy.distance,
                 .vector_in_step = kLanes,
                 .count = count,
                 .bias = nullptr,
                 .add = k > 0,
                 .y = dx.data + g * dx.distance + d * kLanes,
                 .y_out_step = kLanes,
                 .y_vector_step = dx.distance});
      });
      g += vectors;
    }
    k += count;
  } while (k < K);
}

/// to[n][0 ... vectors * kLanes - 1] = x[d ...][n]: `width` features, then zeros, of all samples.
void turn(const LaneMatrix& x, int64_t groups, int64_t d, int64_t width, int64_t vectors, float* to) {
  for (int64_t g = 0; g < groups; ++g, to += kLanes * vectors * kLanes)
    for (int64_t v = 0; v < vectors; ++v) {
      const float* from = x.data + g * x.distance + (d + v * kLanes) * kLanes;
      V rows[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) rows[i] = v * kLanes + i < width ? load(from + i * kLanes) : V{};
      transpose_square(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(to + (i * vectors + v) * kLanes, rows[i]);
    }
}

void weight_gradient(const LaneMatrix& dy, const LaneMatrix& x, int64_t groups, int64_t samples, float* dw,
                     int64_t pitch, int64_t K, int64_t d0, int64_t d1, bool add, float* workspace) {
  constexpr int64_t kWidth = kMaxVectors * kLanes;
  for (int64_t d = d0; d < d1; d += kWidth) {
    const int64_t width = lesser(kWidth, d1 - d), vectors = parts_of(width, kLanes);
    turn(x, groups, d, width, vectors, workspace);
    const bool whole = width == vectors * kLanes;
    for_outputs(K, vectors, [&](int64_t k, int64_t rows, Multiply product) {
      float* to = dw + k * pitch + d;
      float tile[12 * kWidth];  // a last block that is no whole number of vectors ends here
      product({.scalars = dy.data + k * kLanes,
               .out_step = kLanes,
               .in_step = 1,
               .run = kLanes,
               .run_step = dy.distance,
               .vectors = workspace,
               .vector_step = kLanes,
               .vector_in_step = vectors * kLanes,
               .count = (groups - 1) * kLanes + samples,
               .bias = nullptr,
               .add = add && whole,
               .y = whole ? to : tile,
               .y_out_step = whole ? pitch : kWidth,
               .y_vector_step = kLanes});
      if (whole) return;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < width; ++j)
          to[i * pitch + j] = (add ? to[i * pitch + j] : 0) + tile[i * kWidth + j];
    });
  }
}

}  // namespace

extern const uncial::cpu::LaneDenseSimd lane_dense_simd = {kLanes, forward, input_gradient, weight_gradient};

}  // namespace UNCIAL_SIMD
