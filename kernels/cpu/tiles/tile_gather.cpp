// Rows of outputs: four tiles of sums stay in registers over all runs, then meet the epilogue.

#include "tile_gather.h"

namespace UNCIAL_SIMD {
namespace {

struct Sums {
  alignas(64) float tile[4][kTileFloats];
};

/// Sums of kF * 16 outputs x kP pixels; sum (f, i) goes to sums[f * kP + i]. `first` tile of outputs; kBelow:
/// the last two of four pixels are in the lower row.
template <int kF, int kP, bool kBelow>
[[gnu::always_inline]] inline void add_runs(Tiles& t, const GatherSums& g, int64_t first,
                                            const int64_t* columns, Sums& sums) {
  t.template zero<0>();
  t.template zero<1>();
  t.template zero<2>();
  t.template zero<3>();
  for (int64_t i = 0; i < g.count; ++i) {
    const Run& run = g.runs[i];
    const char* weights[] = {run.weights + first * g.tile_bytes,
                             run.weights + (first + kF - 1) * g.tile_bytes};
    const char* pixels[kP];
#pragma GCC unroll 4
    for (int j = 0; j < kP; ++j)
      pixels[j] = (kBelow && j >= 2 ? run.below : run.pixels) + columns[j] * g.step;
    add_products<kF, kP>(t, weights, kTileBytes, pixels, kTileBytes, g.blocks);
  }
  t.template store<0>(sums.tile[0]);
  t.template store<1>(sums.tile[1]);
  t.template store<2>(sums.tile[2]);
  t.template store<3>(sums.tile[3]);
}

/// One tile of sums: outputs from k0 on at row p, column q.
void finish_plain(const LaneEpilogue& e, int64_t outputs, int64_t k0, int64_t p, int64_t q,
                  const float* sums) {
  const int64_t count = smaller(kTileSide, outputs - k0), at = p * e.y.row + q * kLanes;
  for (int64_t i = 0; i < count; ++i) {
    V v = load(sums + i * kTileSide);
    if (e.bias) v += broadcast(e.bias[k0 + i]);
    if (e.skip.data) v += load(e.skip.data + (k0 + i) * e.skip.plane + p * e.skip.row + q * kLanes);
    if (e.relu) v = relu_of(v);
    float* to = e.y.data + (k0 + i) * e.y.plane + at;
    if (e.stream)
      stream(to, v);
    else
      store<float>(to, v);
  }
}

void finish_pooled(const LaneEpilogue& e, int64_t outputs, int64_t k0, int64_t p, int64_t q,
                   const Sums& sums) {
  const V floor = V{} + (e.relu ? 0.0f : -__builtin_inff());
  const int64_t count = smaller(kTileSide, outputs - k0), at = p * e.y.row + q * kLanes;
  WinnerCode ignored[kLanes];
  for (int64_t i = 0; i < count; ++i) {
    V window[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      window[j] = load(sums.tile[j] + i * kTileSide);
      if (e.bias) window[j] += broadcast(e.bias[k0 + i]);
    }
    WinnerCode* code = e.winners ? e.winners + (((k0 + i) * e.y.H + p) * e.y.W + q) * kLanes
                                 : static_cast<WinnerCode*>(ignored);
    store<float>(e.y.data + (k0 + i) * e.y.plane + at,
                 pool_window(window[0], window[1], window[2], window[3], floor, code));
  }
}

void plain_row(Tiles& t, const GatherSums& g, const LaneEpilogue& e, int64_t p) {
  const int64_t tiles = tiles_of(g.outputs), last = g.columns - 1;
  Sums sums;
  int64_t f = 0;
  for (; f + 2 <= tiles; f += 2)
    for (int64_t q = 0; q < g.columns; q += 2) {
      const int64_t columns[] = {q, smaller(q + 1, last)};
      add_runs<2, 2, false>(t, g, f, columns, sums);
      for (int i = 0; i < 4; ++i)
        finish_plain(e, g.outputs, (f + i / 2) * kTileSide, p, columns[i % 2], sums.tile[i]);
    }
  if (f == tiles) return;
  for (int64_t q = 0; q < g.columns; q += 4) {
    const int64_t columns[] = {q, smaller(q + 1, last), smaller(q + 2, last), smaller(q + 3, last)};
    add_runs<1, 4, false>(t, g, f, columns, sums);
    for (int i = 0; i < 4; ++i) finish_plain(e, g.outputs, f * kTileSide, p, columns[i], sums.tile[i]);
  }
}

void pooled_row(Tiles& t, const GatherSums& g, const LaneEpilogue& e, int64_t p) {
  Sums sums;
  for (int64_t f = 0; f < tiles_of(g.outputs); ++f)
    for (int64_t q = 0; q < g.columns; ++q) {
      const int64_t columns[] = {2 * q, 2 * q + 1, 2 * q, 2 * q + 1};
      add_runs<1, 4, true>(t, g, f, columns, sums);
      finish_pooled(e, g.outputs, f * kTileSide, p, q, sums);
    }
}

}  // namespace

void gather_sums(Tiles& tiles, const GatherSums& row, const LaneEpilogue& epilogue, int64_t p) {
  if (epilogue.pool)
    pooled_row(tiles, row, epilogue, p);
  else
    plain_row(tiles, row, epilogue, p);
}

}  // namespace UNCIAL_SIMD
