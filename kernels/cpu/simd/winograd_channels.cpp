// x with its channels in the lanes, for the weight gradient.

#include "winograd_matrices.h"
#include "winograd_tiles.h"

namespace UNCIAL_SIMD::winograd {
namespace {

/// Shuffles of two vectors for transpose(), I = 0 .. kLanes - 1.
template <class = std::make_integer_sequence<int, kLanes>>
struct Shuffles;
template <int... I>
struct Shuffles<std::integer_sequence<int, I...>> {
  /// In each 16 bytes: the lower or upper halves of a and b, `kWidth` floats of each by turns.
  template <int kWidth, int kUpper>
  [[gnu::always_inline]] static V in_lane(V a, V b) {
    return __builtin_shufflevector(a, b,
                                   (I / 4 * 4 + kUpper * 2 + I % 4 / (2 * kWidth) * kWidth + I % kWidth +
                                    I % 4 / kWidth % 2 * kLanes)...);
  }
  /// The even or odd pieces of 16 bytes of a, then those of b.
  template <int kOdd>
  [[gnu::always_inline]] static V pieces(V a, V b) {
    return __builtin_shufflevector(a, b, ((I / 4 * 2 + kOdd) * 4 + I % 4)...);
  }
};

/// 4 x 4 pieces of 16 bytes.
[[gnu::always_inline]] inline void transpose_pieces(V& p, V& q, V& r, V& s) {
  using S = Shuffles<>;
  const V a = S::pieces<0>(p, q), b = S::pieces<0>(r, s), c = S::pieces<1>(p, q), d = S::pieces<1>(r, s);
  p = S::pieces<0>(a, b);
  q = S::pieces<0>(c, d);
  r = S::pieces<1>(a, b);
  s = S::pieces<1>(c, d);
}

/// kLanes x kLanes floats: first 4x4 blocks within pieces of 16 bytes, then the pieces.
[[gnu::always_inline]] inline void transpose(V* r) {
  using S = Shuffles<>;
#pragma GCC unroll 4
  for (int g = 0; g < kLanes; g += 4) {
    const V a = S::in_lane<1, 0>(r[g], r[g + 1]), b = S::in_lane<1, 1>(r[g], r[g + 1]);
    const V c = S::in_lane<1, 0>(r[g + 2], r[g + 3]), d = S::in_lane<1, 1>(r[g + 2], r[g + 3]);
    r[g] = S::in_lane<2, 0>(a, c);
    r[g + 1] = S::in_lane<2, 1>(a, c);
    r[g + 2] = S::in_lane<2, 0>(b, d);
    r[g + 3] = S::in_lane<2, 1>(b, d);
  }
  if constexpr (kLanes == 8) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const V a = r[j], b = r[4 + j];
      r[j] = S::pieces<0>(a, b);
      r[4 + j] = S::pieces<1>(a, b);
    }
  } else if constexpr (kLanes == 16) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) transpose_pieces(r[j], r[4 + j], r[8 + j], r[12 + j]);
  }
}

/// 8 channels of 8 pairs of lanes -> 8 pairs of 8 channels, in vectors of 16 floats.
[[maybe_unused, gnu::always_inline]] inline void transpose_pairs(V* r) {
  using S = Shuffles<>;
  V even[4], odd[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    even[i] = S::in_lane<2, 0>(r[2 * i], r[2 * i + 1]);
    odd[i] = S::in_lane<2, 1>(r[2 * i], r[2 * i + 1]);
  }
  transpose_pieces(even[0], even[1], even[2], even[3]);
  transpose_pieces(odd[0], odd[1], odd[2], odd[3]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[2 * i] = even[i];
    r[2 * i + 1] = odd[i];
  }
}

}  // namespace

template <int kEdge>
void ChannelRows<kEdge>::fill_row(int64_t r) {
  const int64_t col = col_floats(x_.C);
  for (int64_t c = 0; c < x_.C; c += kLanes) {
    const int64_t channels = lesser(x_.C - c, kLanes);
    const float* from = x_.at_row(r - padding_) + c * x_.plane - padding_ * kLanes;
    float* to = row(r) + c;
    for (int64_t q = 0; q < cols_; ++q, from += kLanes, to += col) {
      V block[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) block[i] = i < channels ? load(from + i * x_.plane) : V{};
      transpose(block);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store<float>(to + i * round_up(x_.C, kLanes), block[i]);
    }
  }
}

template <int kEdge>
void ChannelRows<kEdge>::fill_row_in_pairs(int64_t r) {
  if constexpr (kLanes == 16) {
    const float* from = x_.at_row(r - padding_) - padding_ * kLanes;
    float* to = row(r);
    for (int64_t q = 0; q < cols_; ++q, from += kLanes, to += col_floats(x_.C)) {
      V block[8];
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) block[i] = i < x_.C ? load(from + i * x_.plane) : V{};
      transpose_pairs(block);
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) store<float>(to + i * kLanes, block[i]);
    }
  }
}

template <int kEdge>
void ChannelRows<kEdge>::advance(const TilePass& pass) {
  if (!x_.data) return;  // somebody else writes them
  const TileGroup& last = pass.group[pass.groups - 1];
  for (const int64_t end = last.tile[last.count - 1].row + kPatch; filled_ < end; ++filled_)
    if (ChannelPanel::paired(x_.C))
      fill_row_in_pairs(filled_);
    else
      fill_row(filled_);
}

template <int kEdge>
void ChannelRows<kEdge>::transform(const TileGroup& group, float* panel) const {
  const int64_t vectors = ChannelPanel::vectors(x_.C), col = col_floats(x_.C);
  const int positions = ChannelPanel::positions(x_.C);
  for (int t = 0; t < group.count; ++t) {
    const float* tile[kPatch];
    for (int i = 0; i < 6; ++i) tile[i] = row(group.tile[t].row + i) + group.tile[t].col * col;
    for (int64_t start = 0; start < vectors;) {
      const int part = next_part<kMostVectors>(vectors - start);
      const int64_t step = ChannelPanel::point_step(part, group.count);
      float* to = panel + ChannelPanel::part_start(start, group.count) + t * positions * part * kLanes;
      for (int l = 0; l < positions; ++l)
        for (int v = 0; v < part; ++v, to += kLanes) {
          const float* rows[kPatch];
          for (int i = 0; i < 6; ++i) rows[i] = tile[i] + (l * vectors + start + v) * kLanes;
          input_tile(rows, col, to, step);
        }
      start += part;
    }
  }
}

template class ChannelRows<4>;
template class ChannelRows<2>;

}  // namespace UNCIAL_SIMD::winograd
