// Convolutions by bands of rows, with rings for the images between them, against those of whole images: the
// same bits but for Winograd's sums, where tiles may be grouped otherwise.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "simd/lane_conv.h"
#include "simd/lane_winograd.h"
#include "support/catch.h"
#include "support/isas.h"

using namespace uncial;
using cpu::LaneImage;

namespace {

constexpr float kNaN = __builtin_nanf("");

/// An image, or a ring of rows, with `before` columns of zeros on the left and `behind` on the right.
struct Planes {
  std::vector<float> memory;
  LaneImage image;
  int64_t lanes, before, columns;

  Planes(int64_t of_lanes, int64_t C, int64_t H, int64_t W, int64_t margin, int64_t behind, int64_t rows,
         int64_t ring = 0)
      : lanes(of_lanes), before(margin), columns(margin + W + behind) {
    memory.assign(size_t(C * rows * columns * lanes), ring ? kNaN : 0);
    // Whole images have their planes apart, rings their rows.
    image = {memory.data(), C, H, W, columns * lanes, C * columns * lanes, ring};
    if (!ring) image.plane = rows * columns * lanes, image.row = columns * lanes;
    image.data += before * ((ring ? 0 : image.row) + lanes);
  }
  float* at(int64_t c, int64_t h) { return image.at_row(h) + c * image.plane; }
  void fill(uint32_t seed) {
    std::mt19937 random(seed);
    for (int64_t c = 0; c < image.C; ++c)
      for (int64_t h = 0; h < image.H; ++h)
        for (int64_t i = 0; i < image.W * lanes; ++i) at(c, h)[i] = float(random() % 2001) / 1000 - 1;
  }
  /// Row h of `other`, margins included.
  void copy_row(Planes& other, int64_t h) {
    for (int64_t c = 0; c < image.C; ++c)
      std::memcpy(at(c, h) - before * lanes, other.at(c, h) - before * lanes,
                  size_t(columns * lanes) * sizeof(float));
  }
  void check_rows(Planes& other, int64_t begin, int64_t end) {
    bool same = true;
    for (int64_t c = 0; c < image.C; ++c)
      for (int64_t h = begin; h < end; ++h)
        same &= !std::memcmp(at(c, h), other.at(c, h), size_t(image.W * lanes) * sizeof(float));
    CHECK(same);
  }
};

std::vector<float> numbers(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> all(static_cast<size_t>(count));
  for (float& v : all) v = float(random() % 2001) / 1000 - 1;
  return all;
}

/// Largest difference over largest value.
float gap(const std::vector<float>& a, const std::vector<float>& b) {
  float difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::isfinite(b[i]) ? std::abs(a[i] - b[i]) : HUGE_VALF);
    size = std::max(size, std::abs(a[i]));
  }
  return difference / size;
}

struct Case {
  int64_t C, K, P, Q, padding, band, taps = 3;
};

struct Extents {
  int64_t lanes, H, W, tile_rows, behind;  ///< behind: columns that tiles read beyond the image
};
Extents extents(const Case& c) {
  const cpu::WinogradTiling tiling{c.taps};
  const int64_t H = c.P + c.taps - 1 - 2 * c.padding, W = c.Q + c.taps - 1 - 2 * c.padding;
  return {cpu::winograd_simd(c.taps).lanes, H, W, tiling.tiles(c.P),
          tiling.patch_end(tiling.tiles(c.Q)) - c.padding - W};
}

void check_winograd(const Case& c) {
  const cpu::WinogradSimd& simd = cpu::winograd_simd(c.taps);
  const auto [L, H, W, T, behind] = extents(c);
  const cpu::WinogradTiling& tiling = simd.tiling;
  const int64_t rows = tiling.patch_end(T), ring_rows = tiling.patch_end(c.band);
  Planes x(L, c.C, H, W, c.padding, behind, rows), dx(L, c.C, H, W, c.padding, behind, rows);
  Planes x_ring(L, c.C, H, W, c.padding, behind, ring_rows, ring_rows), dx_ring(x_ring);
  dx_ring.image.data = dx_ring.memory.data() + c.padding * L;
  x_ring.image.data = x_ring.memory.data() + c.padding * L;
  Planes y(L, c.K, c.P, c.Q, 0, 0, c.P), y_rows(L, c.K, c.P, c.Q, 0, 0, c.P);
  Planes dy(L, c.K, c.P, c.Q, 0, 0, c.P);
  x.fill(1);
  dy.fill(2);
  const std::vector<float> w = numbers(c.K * c.C * c.taps * c.taps, 3), bias = numbers(c.K, 4);
  std::vector<float> u(size_t(simd.weight_floats(c.C, c.K)));
  std::vector<float> workspace(size_t(simd.workspace_floats(c.C, x.columns, c.K)), kNaN);
  simd.transform_weights(w.data(), c.C, c.K, u.data(), 0, c.K);
  simd.forward(x.image, c.padding, u.data(), {bias.data(), true, false, y.image, nullptr}, c.P, c.Q,
               workspace.data());
  std::vector<float> sums(size_t(simd.weight_sums(c.C, c.K))), bias_sums(size_t(c.K * L));
  std::vector<float> sums_rows(sums), bias_rows(bias_sums);
  const cpu::LaneGradient gradient{.dy = dy.image, .relu_y = y.image.data, .P = c.P, .Q = c.Q};
  simd.backward(x.image, c.padding, u.data(), gradient, sums.data(), bias_sums.data(), dx.image,
                workspace.data());
  std::vector<float> forward_workspace(workspace.size(), kNaN);
  int64_t done = 0;
  for (int64_t t0 = 0; t0 < T; t0 += c.band) {
    const int64_t t1 = std::min(T, t0 + c.band);
    for (int64_t h = t0 ? tiling.patch_end(t0) : 0; h < tiling.patch_end(t1); ++h)
      x_ring.copy_row(x, h - c.padding);
    simd.forward_rows(x_ring.image, c.padding, u.data(), {bias.data(), true, false, y_rows.image, nullptr},
                      c.P, c.Q, t0, t1, forward_workspace.data());
    simd.backward_rows(x_ring.image, c.padding, u.data(), gradient, sums_rows.data(), bias_rows.data(),
                       dx_ring.image, t0, t1, workspace.data());
    const int64_t end =
        t1 < T ? std::max<int64_t>(0, std::min<int64_t>(H, tiling.edge() * t1 - c.padding)) : H;
    dx_ring.check_rows(dx, done, end);
    done = end;
  }
  y_rows.check_rows(y, 0, c.P);
  CHECK(gap(sums, sums_rows) < 1e-5f);
  CHECK(gap(bias_sums, bias_rows) < 1e-5f);
}

/// Rows of x that the caller turns, instead of x itself.
void check_winograd_turned(const Case& c) {
  const cpu::WinogradSimd& simd = cpu::winograd_simd(c.taps);
  const auto [L, H, W, T, behind] = extents(c);
  const cpu::WinogradTiling& tiling = simd.tiling;
  Planes x(L, c.C, H, W, c.padding, behind, tiling.patch_end(T)), dy(L, c.K, c.P, c.Q, 0, 0, c.P);
  x.fill(1);
  dy.fill(2);
  std::vector<float> workspace(size_t(simd.workspace_floats(c.C, x.columns, c.K)), kNaN), other(workspace);
  std::vector<float> sums(size_t(simd.weight_sums(c.C, c.K))), of_turned(sums);
  const cpu::LaneGradient gradient{.dy = dy.image, .P = c.P, .Q = c.Q};
  const cpu::LaneTurnedRows to =
      simd.turned_rows({nullptr, c.C, H, W, 0, 0, 6}, c.padding, c.K, c.Q, other.data());
  REQUIRE(to.ring == 6);
  REQUIRE(to.columns == x.columns);
  for (int64_t t = 0; t < T; ++t) {
    simd.backward_rows(x.image, c.padding, nullptr, gradient, sums.data(), nullptr, {}, t, t + 1,
                       workspace.data());
    for (int64_t h = (t ? tiling.patch_end(t) : 0) - c.padding; h < tiling.patch_end(t + 1) - c.padding; ++h)
      for (int64_t q = 0; q < to.columns; ++q)
        for (int64_t l = 0; l < L; ++l)
          for (int64_t k = 0; k < to.channels; ++k)
            to.at_row(h)[q * to.column + l * to.channels + k] =
                k < c.C ? x.at(k, h)[(q - c.padding) * L + l] : 0;
    simd.backward_rows({nullptr, c.C, H, W, 0, 0, 6}, c.padding, nullptr, gradient, of_turned.data(), nullptr,
                       {}, t, t + 1, other.data());
  }
  CHECK((sums == of_turned));
}

void check_turned(const cpu::LaneConvShape& s, int64_t C, int64_t K, int64_t H, int64_t W, bool relu) {
  const cpu::LaneConvSimd& simd = cpu::lane_conv_simd();
  const int64_t L = simd.lanes, P = (H + 2 * s.padding - s.dilation * (s.R - 1) - 1) / s.stride + 1,
                Q = (W + 2 * s.padding - s.dilation * (s.S - 1) - 1) / s.stride + 1;
  Planes x(L, C, H, W, s.padding, s.padding, H + 2 * s.padding);
  Planes y(L, K, P, Q, 0, 0, P), dy(L, K, P, Q, 0, 0, P);
  x.fill(1);
  dy.fill(2);
  const std::vector<float> w = numbers(K * C * s.R * s.S, 3), bias = numbers(K, 4);
  simd.forward(s, x.image, w.data(), {bias.data(), relu, false, y.image, nullptr});
  const int64_t channels = (K + L - 1) / L * L, column = channels * L + 16, row = (Q + 3) * column;
  std::vector<float> memory(size_t((P + 3) * row), kNaN);
  std::vector<uint16_t> bits(size_t(P * Q * channels));
  const cpu::LaneTurnedRows to{memory.data(), P + 3, row, column, channels, 1, Q + 3};
  const cpu::LaneBits positive{bits.data(), P, Q * channels, channels};
  for (int64_t p = -1; p < P + 2; p += 2)
    simd.turned_rows(s, x.image, w.data(), bias.data(), relu, K, p, std::min(p + 2, P + 2), to, positive);
  bool close = true, same = true, zero = true;
  for (int64_t p = -1; p < P + 2; ++p)
    for (int64_t q = -1; q < Q + 2; ++q)
      for (int64_t i = 0; i < channels * L; ++i) {
        const float v = to.at_row(p)[(q + 1) * column + i];
        const int64_t k = i % channels, l = i / channels;
        if (p < 0 || p >= P || q < 0 || q >= Q || k >= K) {
          zero &= v == 0;
          continue;
        }
        close &= std::abs(v - y.at(k, p)[q * L + l]) < 1e-5f;
        same &= (v > 0) == ((bits[size_t((p * Q + q) * channels + k)] >> l & 1) != 0);
      }
  CHECK((close && same && zero));
  // The gradient of a ReLU by those bits.
  const size_t floats = size_t(simd.weight_sums(s, C, K));
  std::vector<float> sums(floats), by_bits(floats), bias_sums(size_t(K * L)), bias_by_bits(bias_sums);
  simd.weight_rows(s, x.image, {.dy = dy.image, .relu_y = y.image.data, .P = P, .Q = Q}, sums.data(),
                   bias_sums.data(), 0, P);
  simd.weight_rows(s, x.image, {.dy = dy.image, .P = P, .Q = Q, .positive = positive}, by_bits.data(),
                   bias_by_bits.data(), 0, P);
  CHECK(gap(sums, by_bits) < 1e-5f);
  CHECK(gap(bias_sums, bias_by_bits) < 1e-5f);
}

void check_direct(const cpu::LaneConvShape& s, int64_t C, int64_t K, int64_t H, int64_t W, bool relu) {
  const cpu::LaneConvSimd& simd = cpu::lane_conv_simd();
  const int64_t L = simd.lanes, P = (H + 2 * s.padding - s.dilation * (s.R - 1) - 1) / s.stride + 1,
                Q = (W + 2 * s.padding - s.dilation * (s.S - 1) - 1) / s.stride + 1;
  constexpr int64_t kBand = 3;
  Planes x(L, C, H, W, s.padding, s.padding, H + 2 * s.padding);
  Planes y(L, K, P, Q, 0, 0, P), dy(L, K, P, Q, 0, 0, P), y_ring(L, K, P, Q, 0, 0, kBand, kBand),
      dy_ring(y_ring);
  y_ring.image.data = y_ring.memory.data(), dy_ring.image.data = dy_ring.memory.data();
  x.fill(1);
  dy.fill(2);
  const std::vector<float> w = numbers(K * C / s.groups * s.R * s.S, 3), bias = numbers(K, 4);
  simd.forward(s, x.image, w.data(), {bias.data(), relu, false, y.image, nullptr});
  std::vector<float> sums(size_t(simd.weight_sums(s, C, K))), bias_sums(size_t(K * L));
  std::vector<float> sums_rows(sums), bias_rows(bias_sums);
  std::vector<float> workspace(size_t(simd.workspace_floats(s, C, H, W, K, P, Q)));
  simd.backward(s, x.image, w.data(),
                {.dy = dy.image, .relu_y = relu ? y.image.data : nullptr, .P = P, .Q = Q}, sums.data(),
                bias_sums.data(), {}, workspace.data());
  for (int64_t p0 = 0; p0 < P; p0 += kBand) {
    const int64_t p1 = std::min(P, p0 + kBand);
    simd.forward_rows(s, x.image, w.data(), {bias.data(), relu, false, y_ring.image, nullptr}, p0, p1);
    y_ring.check_rows(y, p0, p1);
    for (int64_t p = p0; p < p1; ++p) dy_ring.copy_row(dy, p);
    simd.weight_rows(s, x.image,
                     {.dy = dy_ring.image, .relu_y = relu ? y_ring.image.data : nullptr, .P = P, .Q = Q},
                     sums_rows.data(), bias_rows.data(), p0, p1);
  }
  CHECK((sums == sums_rows));
  CHECK(gap(bias_sums, bias_rows) < 1e-5f);  // sums of rows, or one sum
}

}  // namespace

TEST_CASE("Winograd convolutions by bands of tile rows", "[lanes]") {
  test::for_each_isa([&](const std::string& isa) {
    for (const Case& c : {Case{9, 10, 12, 11, 0, 1}, Case{8, 16, 13, 5, 1, 2}, Case{17, 9, 22, 24, 2, 1},
                          Case{200, 170, 9, 14, 1, 1}, Case{8, 8, 3, 3, 0, 2}, Case{9, 10, 7, 9, 2, 1, 5},
                          Case{17, 8, 10, 11, 0, 2, 5}, Case{8, 20, 7, 6, 4, 3, 5}}) {
      INFO(isa << ", " << c.taps << " x " << c.taps << " C " << c.C << " K " << c.K << " P " << c.P << " Q "
               << c.Q << " padding " << c.padding);
      check_winograd(c);
      if (c.C > cpu::kPairedChannels) check_winograd_turned(c);
    }
  });
}

TEST_CASE("direct convolutions by bands of rows", "[lanes]") {
  test::for_each_isa([&](const std::string& isa) {
    for (bool relu : {false, true}) {
      INFO(isa << (relu ? ", relu" : ""));
      check_direct({3, 3, 1, 0, 1, 1}, 1, 32, 14, 13, relu);
      check_direct({3, 3, 1, 1, 1, 1}, 3, 9, 11, 10, relu);
      check_direct({5, 5, 2, 2, 1, 1}, 1, 6, 13, 17, relu);
      check_direct({3, 2, 1, 1, 2, 2}, 4, 6, 12, 9, relu);
      check_turned({3, 3, 1, 0, 1, 1}, 1, 32, 14, 13, relu);
      check_turned({3, 3, 1, 1, 1, 1}, 3, 9, 11, 10, relu);
      check_turned({5, 5, 2, 2, 1, 1}, 1, 21, 13, 17, relu);
      check_turned({2, 3, 1, 1, 2, 1}, 4, 6, 12, 9, relu);
    }
  });
}
