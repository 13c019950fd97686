// Dense layers on the matrix unit. Sums of 2 x 2 tiles stay in registers over all factors at hand.

#include "tile_dense.h"

#include "tile_gather.h"

namespace UNCIAL_SIMD {
namespace {

using uncial::cpu::LaneMatrix;
using uncial::cpu::TileDenseKernels;

constexpr int64_t kDepth = 8;  // tiles of factors that forward() packs at once

/// Matrices of tiles; element (i, j) of `a` is tile (i, j) of 16 x 32 factors, of `b` one of 32 x 16.
struct TileMatrix {
  char* data;
  int64_t row, column;  ///< bytes from one to the next
  char* at(int64_t i, int64_t j) const { return data + i * row + j * column; }
};

/// Two by two tiles of a b^T, b's first index that of the result's column. Where there is only one, the
/// second is the first again.
[[gnu::always_inline]] inline void add_block(Tiles& t, const TileMatrix& a, const TileMatrix& b,
                                             int64_t rows[2], int64_t columns[2], int64_t depth) {
  const char *left[] = {a.at(rows[0], 0), a.at(rows[1], 0)},
             *right[] = {b.at(columns[0], 0), b.at(columns[1], 0)};
  add_products<2, 2>(t, left, a.column, right, b.column, depth);
}

/// Calls body(rows, columns) for all pairs of rows and of columns; the second of a pair may be the first.
template <class Body>
[[gnu::always_inline]] inline void for_pairs(int64_t rows, int64_t columns, Body body) {
  for (int64_t i = 0; i < rows; i += 2)
    for (int64_t j = 0; j < columns; j += 2) {
      int64_t two_rows[] = {i, smaller(i + 1, rows - 1)}, two_columns[] = {j, smaller(j + 1, columns - 1)};
      body(two_rows, two_columns);
    }
}

[[gnu::always_inline]] inline void zero_sums(Tiles& t) {
  t.zero<0>();
  t.zero<1>();
  t.zero<2>();
  t.zero<3>();
}

/// The four results; where two are the same tile, both copies hold the same.
template <class To>
[[gnu::always_inline]] inline void store_sums(Tiles& t, To to, int64_t distance = kRowBytes) {
  t.store<0>(to(0, 0), distance);
  t.store<1>(to(0, 1), distance);
  t.store<2>(to(1, 0), distance);
  t.store<3>(to(1, 1), distance);
}

/// `count` floats at p, zeros behind them.
[[gnu::always_inline]] inline V first_of(const float* p, int64_t count) {
  if (count >= kTileSide) return load(p);
  float some[kTileSide] = {};
  for (int64_t i = 0; i < count; ++i) some[i] = p[i];
  return load(some);
}

/// Tiles of pairs of rows of a group: [row pair][16 samples][2], rows [r0, r1).
void pack_pairs(const float* rows, int64_t r0, int64_t r1, char* to) {
  const int64_t end = r0 + ceil_div(r1 - r0, kTileDepth) * kTileDepth;
  for (int64_t r = r0; r < end; r += 2, to += kRowBytes)
    store_pairs(to, r < r1 ? load(rows + r * kLanes) : V{}, r + 1 < r1 ? load(rows + (r + 1) * kLanes) : V{});
}

void forward(const LaneMatrix& x, int64_t groups, const float* w, int64_t pitch, int64_t K, int64_t d0,
             int64_t d1, float* sums, float* workspace) {
  Tiles t;
  const int64_t k_tiles = tiles_of(K);
  auto* memory = reinterpret_cast<char*>(workspace);
  const TileMatrix weights{memory, kDepth * kTileBytes, kTileBytes};
  const TileMatrix factors{weights.at(k_tiles, 0), kDepth * kTileBytes, kTileBytes};
  for (int64_t d = d0; d < d1; d += kDepth * kTileDepth) {
    const int64_t end = smaller(d1, d + kDepth * kTileDepth), depth = ceil_div(end - d, kTileDepth);
    for (int64_t g = 0; g < groups; ++g) pack_pairs(x.data + g * x.distance, d, end, factors.at(g, 0));
    for (int64_t k = 0; k < k_tiles * kTileSide; ++k)
      for (int64_t i = 0; i < depth; ++i) {
        const int64_t first = d + i * kTileDepth, left = k < K ? end - first : 0;
        const float* row = w + k * pitch + first;
        store_run(weights.at(k / kTileSide, i) + k % kTileSide * kRowBytes, first_of(row, left),
                  first_of(row + kTileSide, larger(0, left - kTileSide)));
      }
    for_pairs(
        k_tiles, groups, [&](int64_t * rows, int64_t * columns) __attribute__((always_inline)) {
          const auto sum = [&](int i, int j) {
            return sums + (columns[j] * k_tiles + rows[i]) * kTileFloats;
          };
          if (d == d0) {
            zero_sums(t);
          } else {
            t.load<0>(sum(0, 0));
            t.load<1>(sum(0, 1));
            t.load<2>(sum(1, 0));
            t.load<3>(sum(1, 1));
          }
          add_block(t, weights, factors, rows, columns, depth);
          store_sums(t, sum);
        });
  }
}

void finish(const float* sums, int64_t parts, int64_t distance, const float* bias, bool relu, float* y,
            int64_t K) {
  for (int64_t k = 0; k < K; ++k) {
    V sum = bias ? broadcast(bias[k]) : V{};
    for (int64_t part = 0; part < parts; ++part) sum += load(sums + part * distance + k * kLanes);
    store<float>(y + k * kLanes, relu ? relu_of(sum) : sum);
  }
}

/// Packs w[.][d ... d + 15] with the inputs as rows: tiles [16 inputs][32 outputs].
void pack_turned(const float* w, int64_t pitch, int64_t K, int64_t d, int64_t count, char* to) {
  for (int64_t k0 = 0; k0 < K; k0 += kTileDepth, to += kTileBytes) {
    for (int64_t j = 0; j < kTileSide; ++j) {
      const int64_t k = k0 + 2 * j;
      store_pairs(to + j * kRowBytes, k < K ? first_of(w + k * pitch + d, count) : V{},
                  k + 1 < K ? first_of(w + (k + 1) * pitch + d, count) : V{});
    }
    transpose_tile(to);
  }
}

void input_gradient(const LaneMatrix& dy, int64_t groups, const float* w, int64_t pitch, int64_t K,
                    const LaneMatrix& dx, int64_t d0, int64_t d1, float* workspace) {
  Tiles t;
  const int64_t depth = ceil_div(K, kTileDepth);
  auto* memory = reinterpret_cast<char*>(workspace);
  const TileMatrix weights{memory, depth * kTileBytes, kTileBytes};
  const TileMatrix factors{weights.at(2, 0), depth * kTileBytes, kTileBytes};
  for (int64_t g = 0; g < groups; ++g) pack_pairs(dy.data + g * dy.distance, 0, K, factors.at(g, 0));
  for (int64_t d = d0; d < d1; d += 2 * kTileSide) {
    const int64_t tiles = tiles_of(smaller(d1 - d, 2 * kTileSide));
    for (int64_t i = 0; i < tiles; ++i) {
      const int64_t first = d + i * kTileSide;
      pack_turned(w, pitch, K, first, smaller(kTileSide, d1 - first), weights.at(i, 0));
    }
    for_pairs(
        tiles, groups, [&](int64_t * rows, int64_t * columns) __attribute__((always_inline)) {
          zero_sums(t);
          add_block(t, weights, factors, rows, columns, depth);
          if (d + tiles * kTileSide <= d1) {
            store_sums(t, [&](int i, int j) {
              return dx.data + columns[j] * dx.distance + (d + rows[i] * kTileSide) * kLanes;
            });
            return;
          }
          alignas(64) float sums[4][kTileFloats];
          store_sums(t, [&](int i, int j) { return sums[2 * i + j]; });
          for (int i = 0; i < 4; ++i) {
            const int64_t first = d + rows[i / 2] * kTileSide;
            __builtin_memcpy(dx.data + columns[i % 2] * dx.distance + first * kLanes, sums[i],
                             size_t(smaller(kTileSide, d1 - first) * kRowBytes));
          }
        });
  }
}

/// Tiles for products over samples: row i is [sample][2 groups] of feature i, features [f0, f1).
void pack_samples(const LaneMatrix& m, int64_t groups, int64_t samples, int64_t group, int64_t f0, int64_t f1,
                  char* to) {
  const auto at = [&](int64_t g, int64_t f) __attribute__((always_inline)) {
    if (g >= groups || f >= f1) return V{};
    return first_of(m.data + g * m.distance + f * kLanes, g + 1 == groups ? samples : kTileSide);
  };
  for (int64_t i = 0; i < kTileSide; ++i)
    store_pairs(to + i * kRowBytes, at(group, f0 + i), at(group + 1, f0 + i));
}

void weight_gradient(const LaneMatrix& dy, const LaneMatrix& x, int64_t groups, int64_t samples, float* dw,
                     int64_t pitch, int64_t K, int64_t d0, int64_t d1, float* workspace) {
  Tiles t;
  const int64_t depth = ceil_div(groups, 2), k_tiles = tiles_of(K);
  auto* memory = reinterpret_cast<char*>(workspace);
  const TileMatrix outputs{memory, depth * kTileBytes, kTileBytes};
  const TileMatrix inputs{outputs.at(k_tiles, 0), depth * kTileBytes, kTileBytes};
  for (int64_t k = 0; k < k_tiles; ++k)
    for (int64_t i = 0; i < depth; ++i)
      pack_samples(dy, groups, samples, 2 * i, k * kTileSide, K, outputs.at(k, i));
  for (int64_t d = d0; d < d1; d += 2 * kTileSide) {
    const int64_t tiles = tiles_of(smaller(d1 - d, 2 * kTileSide));
    for (int64_t j = 0; j < tiles; ++j)
      for (int64_t i = 0; i < depth; ++i) {
        pack_samples(x, groups, samples, 2 * i, d + j * kTileSide, d1, inputs.at(j, i));
        transpose_tile(inputs.at(j, i));
      }
    for_pairs(
        k_tiles, tiles, [&](int64_t * rows, int64_t * columns) __attribute__((always_inline)) {
          zero_sums(t);
          add_block(t, outputs, inputs, rows, columns, depth);
          const int64_t k0 = rows[0] * kTileSide;
          const auto to = [&](int i, int j) {
            return dw + rows[i] * kTileSide * pitch + d + columns[j] * kTileSide;
          };
          if (k0 + 2 * kTileSide <= K && d + 2 * kTileSide <= d1)
            return store_sums(t, to, pitch * int64_t(sizeof(float)));
          alignas(64) float sums[4][kTileFloats];
          store_sums(t, [&](int i, int j) { return sums[2 * i + j]; });
          for (int i = 0; i < 4; ++i) {
            const int64_t first = d + columns[i % 2] * kTileSide, width = smaller(kTileSide, d1 - first),
                          height = smaller(kTileSide, K - rows[i / 2] * kTileSide);
            for (int64_t k = 0; k < height; ++k)
              __builtin_memcpy(to(i / 2, i % 2) + k * pitch, sums[i] + k * kTileSide,
                               size_t(width) * sizeof(float));
          }
        });
  }
}

int64_t workspace_floats(int64_t groups, int64_t K) {
  const int64_t k_tiles = tiles_of(K), forward = (k_tiles + groups) * kDepth,
                backward = (2 + groups) * ceil_div(K, kTileDepth),
                weights = (k_tiles + 2) * ceil_div(groups, 2);
  return larger(forward, larger(backward, weights)) * kTileBytes / int64_t(sizeof(float));
}

}  // namespace

extern const TileDenseKernels tile_dense_kernels = {forward, finish, input_gradient, weight_gradient,
                                                    workspace_floats};

}  // namespace UNCIAL_SIMD
