// Kernels with the channels in the lanes, against loops that state the formulas, on integers (exact) and
// between guards.

#include <algorithm>
#include <vector>

#include "kernels/guarded.h"
#include "simd/channel_conv.h"
#include "simd/channel_dense.h"
#include "support/isas.h"

namespace uncial::cpu {
namespace {

using guarded::Floats;
using guarded::Integers;

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// An image with the channels in the lanes, a halo of zeros, and guards in the lanes beyond the last channel.
struct ChannelImage {
  int64_t lanes, C, H, W, halo, below, row, plane;
  Floats memory;
  ChannelImage(int64_t lane_count, int64_t channels, int64_t h, int64_t w, int64_t before = 0,
               int64_t after = 0)
      : lanes(lane_count),
        C(channels),
        H(h),
        W(w),
        halo(before),
        below(after),
        row((before + w + after) * lanes),
        plane((before + h + after) * row),
        memory(round_up(channels, lanes) / lanes * plane) {}
  float& at(int64_t c, int64_t h, int64_t w) const {
    return memory[c / lanes * plane + (h + halo) * row + (w + halo) * lanes + c % lanes];
  }
  void fill(Integers& next) const {
    for (int64_t c = 0; c < C; ++c)
      for (int64_t h = -halo; h < H + below; ++h)
        for (int64_t w = -halo; w < W + below; ++w)
          at(c, h, w) = h >= 0 && h < H && w >= 0 && w < W ? next() : 0.0f;
  }
  LaneImage view() const {
    return {memory.data() + halo * (row + lanes), round_up(C, lanes) / lanes, H, W, plane, row};
  }
};

struct Case {
  int64_t C, H, W, K, R, S, stride, padding, dilation;
  bool relu, pool;
};
const Case kDirect[] = {
    {1, 9, 8, 3, 3, 3, 1, 0, 1, false, false},  {3, 12, 31, 33, 5, 4, 2, 2, 1, true, false},
    {20, 6, 30, 16, 1, 1, 1, 0, 1, true, true}, {16, 9, 7, 40, 3, 3, 1, 2, 2, false, true},
    {33, 7, 7, 70, 7, 7, 1, 3, 1, true, false}, {6, 14, 14, 17, 5, 5, 1, 0, 1, true, true},
    {2, 1, 1, 5, 1, 1, 1, 0, 1, false, false},  {19, 9, 21, 4, 3, 2, 1, 1, 1, false, false},
    {2, 10, 33, 7, 2, 6, 1, 0, 1, true, true},  {3, 12, 13, 9, 9, 9, 1, 4, 1, true, false},
    {1, 28, 28, 6, 5, 5, 1, 2, 1, true, true},  {2, 7, 66, 2, 3, 5, 1, 2, 1, false, false},
    {3, 6, 12, 38, 2, 2, 1, 0, 1, true, true},  {1, 5, 6, 1, 3, 4, 1, 1, 1, false, true}};
const Case kTiled[] = {{16, 8, 8, 16, 3, 3, 1, 1, 1, false, false},
                       {33, 13, 11, 40, 3, 3, 1, 0, 1, true, false},
                       {17, 9, 14, 70, 3, 3, 1, 2, 1, true, true},
                       {20, 7, 5, 5, 3, 3, 1, 1, 1, false, true}};

/// The inputs of a case, and its results by the formula.
struct Problem {
  Case k;
  ChannelConvShape s;
  ChannelImage x;
  std::vector<float> w, factor, bias;
  int64_t lanes;

  Problem(const Case& c, int64_t lane_count, int64_t beyond)
      : k(c),
        s{{c.R, c.S, c.stride, c.padding, c.dilation, 1},
          c.C,
          c.K,
          (c.H + 2 * c.padding - c.dilation * (c.R - 1) - 1) / c.stride + 1,
          (c.W + 2 * c.padding - c.dilation * (c.S - 1) - 1) / c.stride + 1},
        x(lane_count, c.C, c.H, c.W, c.padding, c.padding + beyond),
        w(size_t(c.K * c.C * c.R * c.S)),
        factor(size_t(c.K)),
        bias(size_t(round_up(c.K, lane_count))),
        lanes(lane_count) {
    Integers next;
    x.fill(next);
    for (float& v : w) v = next();
    for (float& v : factor) v = next(2);
    for (int64_t i = 0; i < c.K; ++i) bias[size_t(i)] = next();
  }
  double sum(int64_t n, int64_t p, int64_t q) const {
    double total = double(bias[size_t(n)]);
    for (int64_t c = 0; c < k.C; ++c)
      for (int64_t r = 0; r < k.R; ++r)
        for (int64_t t = 0; t < k.S; ++t) {
          const int64_t h = p * k.stride - k.padding + r * k.dilation,
                        v = q * k.stride - k.padding + t * k.dilation;
          if (h < 0 || h >= k.H || v < 0 || v >= k.W) continue;
          total += double(x.at(c, h, v)) * double(factor[size_t(n)]) *
                   double(w[size_t(((n * k.C + c) * k.R + r) * k.S + t)]);
        }
    return k.relu ? std::max(total, 0.0) : total;
  }
  double result(int64_t n, int64_t p, int64_t q) const {
    if (!k.pool) return sum(n, p, q);
    return std::max({sum(n, 2 * p, 2 * q), sum(n, 2 * p, 2 * q + 1), sum(n, 2 * p + 1, 2 * q),
                     sum(n, 2 * p + 1, 2 * q + 1)});
  }
  ChannelImage output() const { return {lanes, k.K, k.pool ? s.P / 2 : s.P, k.pool ? s.Q / 2 : s.Q}; }
  ChannelSource source() const { return {x.memory.data(), k.C, x.plane, x.row, nullptr, true}; }
  LaneEpilogue epilogue(const ChannelImage& y) const {
    return {.bias = bias.data(), .relu = k.relu, .pool = k.pool, .y = y.view()};
  }
  int64_t wrong(const ChannelImage& y, double tolerance) const {
    int64_t count = 0;
    for (int64_t n = 0; n < k.K; ++n)
      for (int64_t p = 0; p < y.H; ++p)
        for (int64_t q = 0; q < y.W; ++q)
          count += !(std::abs(double(y.at(n, p, q)) - result(n, p, q)) <= tolerance);
    return count;
  }
};

/// Packs, then computes in two halves of rows, from an image in lanes or from row-major planes.
void check_direct(const Case& k, bool in_lanes) {
  const ChannelConvSimd& simd = channel_conv_simd();
  const Problem problem(k, simd.lanes, 0);
  const ChannelConvShape& s = problem.s;
  const int64_t rows = k.H + 2 * k.padding, columns = k.W + 2 * k.padding;
  const Floats planes(k.C * rows * columns);
  for (int64_t c = 0; c < k.C; ++c)
    for (int64_t h = 0; h < rows; ++h)
      for (int64_t w = 0; w < columns; ++w)
        planes[(c * rows + h) * columns + w] = problem.x.at(c, h - k.padding, w - k.padding);
  ChannelSource x = in_lanes ? problem.source()
                             : ChannelSource{planes.data(), k.C, rows * columns, columns, nullptr, false};
  std::vector<int32_t> taps(size_t(k.C * k.R * k.S));
  simd.taps(s, x, taps.data());
  x.taps = taps.data();
  const int64_t vectors = round_up(k.K, simd.lanes) / simd.lanes;
  const Floats filters(simd.filter_floats(s)), workspace(4 * simd.lanes * s.Q);
  for (int64_t v = 0; v < vectors; v += 2)
    simd.pack(s, in_lanes, problem.w.data(), problem.factor.data(), filters.data(), v,
              std::min(v + 2, vectors));
  const ChannelImage y = problem.output();
  for (int64_t half = 0; half < 2; ++half)
    simd.forward(s, x, filters.data(), problem.epilogue(y), 0, vectors, half * (y.H / 2),
                 half ? y.H : y.H / 2, workspace.data());
  CHECK(problem.wrong(y, 0) == 0);
  CHECK(y.memory.margins_untouched());
  CHECK(filters.margins_untouched());
  CHECK(workspace.margins_untouched());
}

TEST_CASE("channel convolution: exact on integers, from lanes and from rows") {
  test::for_each_isa([&](const std::string&) {
    for (const Case& k : kDirect) {
      CAPTURE(k.C, k.H, k.W, k.K, k.R, k.stride);
      check_direct(k, true);
      check_direct(k, false);
    }
  });
}

TEST_CASE("channel Winograd: near the direct sums") {
  test::for_each_isa([&](const std::string&) {
    const ChannelWinogradSimd& simd = channel_winograd_simd();
    for (const Case& k : kTiled) {
      CAPTURE(k.C, k.H, k.W, k.K, k.padding);
      const Problem problem(k, simd.lanes, 6);
      const ChannelConvShape& s = problem.s;
      const int64_t vectors = round_up(k.K, simd.lanes) / simd.lanes, tiles = (s.P + 3) / 4 * ((s.Q + 3) / 4);
      const Floats filters(simd.filter_floats(k.C, k.K)), workspace(simd.workspace_floats(k.C, k.K, tiles));
      for (int64_t v = 0; v < vectors; v += 2)
        simd.transform_filters(k.C, k.K, problem.w.data(), problem.factor.data(), filters.data(), v,
                               std::min(v + 2, vectors));
      const ChannelImage y = problem.output();
      for (const auto& [t0, t1] : {std::pair{int64_t(0), tiles / 2}, std::pair{tiles / 2, tiles}})
        for (int64_t v = 0; v < vectors; v += 2)
          if (t0 < t1)
            simd.forward(s, problem.source(), filters.data(), problem.epilogue(y), v,
                         t0 == 0 ? vectors : std::min(v + 2, vectors), t0, t1, workspace.data());
      CHECK(problem.wrong(y, 0.05) == 0);  // sums of up to 300 products of up to 32
      CHECK(y.memory.margins_untouched());
      CHECK(filters.margins_untouched());
      CHECK(workspace.margins_untouched());
    }
  });
}

TEST_CASE("channel dense: exact on integers, for several samples and for one") {
  test::for_each_isa([&](const std::string&) {
    const ChannelDenseSimd& simd = channel_dense_simd();
    Integers next;
    for (int64_t D : {1, 15, 33, 300})
      for (int64_t K : {1, 5, 64, 131}) {
        CAPTURE(D, K);
        const int64_t N = 7;
        const Floats x(N * D), w(K * D), bias(K), y(N * K);
        x.fill(next), w.fill(next), bias.fill(next);
        for (int64_t i = 0; i < N * D; i += 2) x[i] = 0;
        const auto sum = [&](int64_t n, int64_t k) {
          float total = bias[k];
          for (int64_t d = 0; d < D; ++d) total += w[k * D + d] * x[n * D + d];
          return total;
        };
        simd.rows(x.data(), N, D, w.data(), bias.data(), true, y.data(), K, 0, K);
        int64_t wrong = 0;
        for (int64_t n = 0; n < N; ++n)
          for (int64_t k = 0; k < K; ++k) wrong += y[n * K + k] != std::max(sum(n, k), 0.0f);
        CHECK(wrong == 0);
        CHECK(y.margins_untouched());

        for (int64_t k0 = 0; k0 < K; k0 += simd.block) {
          const int64_t outputs = std::min(simd.block, K - k0), width = round_up(outputs, simd.lanes);
          const Floats packed(D * width), sums(width), list(D + 64);
          CHECK(simd.pack({w.data(), D, K, 1, D}, k0, 0, D, packed.data()));
          for (bool skip : {true, false}) {
            simd.sums(x.data(), 0, D, packed.data(), outputs, skip, reinterpret_cast<int32_t*>(list.data()),
                      sums.data());
            for (int64_t k = 0; k < outputs; ++k) wrong += sums[k] + bias[k0 + k] != sum(0, k0 + k);
          }
          CHECK(wrong == 0);
          CHECK((packed.margins_untouched() && sums.margins_untouched() && list.margins_untouched()));
          w[k0 * D] = std::numeric_limits<float>::infinity();
          CHECK_FALSE(simd.pack({w.data(), D, K, 1, D}, k0, 0, D, packed.data()));
          w[k0 * D] = 0;
        }
      }
  });
}

}  // namespace
}  // namespace uncial::cpu
