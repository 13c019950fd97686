// Convolutions and matrix products in bfloat16 and float16: values and gradients against slow loops in double
// over the rounded factors. Integers of up to 9 bits are not all bfloat16 values, but their products and sums
// are exact in float32, so that a factor left as it was shows.
#include <cmath>

#include "slow_layers.h"
#include "support/check_op.h"
#include "support/isas.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// x as the nearest float16, ties to even.
double to_float16(double x) {
  if (x == 0) return x;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(x), -14) - 10), y = std::nearbyint(x / unit) * unit;
  return std::abs(y) > 65504 ? std::copysign(INFINITY, y) : y;
}
/// Of float32 or bfloat16 values, each rounded.
Tensor rounded(const Tensor& x, Precision precision) {
  if (precision == Precision::bf16) return x.detach().to(DType::bfloat16).to(DType::float64).contiguous();
  const Tensor y = x.detach().to(DType::float64).contiguous();
  for (double& v : y.span<double>()) v = to_float16(v);
  return y;
}
Tensor whole(const Shape& shape, uint64_t seed) {
  const Tensor x = rand(shape, seed);
  for (float& v : x.span<float>()) v = std::round(600 * v - 300);
  return x;
}
Tensor magnitudes(const Tensor& x) { return abs(x); }

/// What a step gives: the value and the gradients of all operands for the gradient `dy`.
struct Results {
  Tensor y, dx, dw, db;
};

struct Layer {
  std::string name;
  Shape x, w, bias;  ///< bias of rank 0: none
  std::function<Tensor(const Tensor& x, const Tensor& w, const Tensor& bias, Precision precision)> run;
  std::function<Results(const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& dy)> slow;
  int64_t terms;  ///< of the longest sum
};

Results run(const Layer& layer, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& dy,
            Precision precision) {
  Tensors leaves{parameter(x.clone()), parameter(w.clone())};
  if (bias.defined()) leaves.push_back(parameter(bias.clone()));
  const Tensor y = layer.run(leaves[0], leaves[1], bias.defined() ? leaves[2] : Tensor(), precision);
  const Tensors d = gradients(y, leaves, dy);
  return {y.detach(), d[0], d[1], bias.defined() ? d[2] : Tensor()};
}

// ---- Slow gradients, by the definition of a convolution
struct Taps {
  ConvOptions o;
  /// Calls body(n, k, p, q, c, in_group, r, s, h, w) for every product of a convolution.
  template <class Body>
  void each(const Shape& x, const Shape& w, const Shape& y, const Body& body) const {
    for (int64_t n = 0; n < x[0]; ++n)
      for (int64_t k = 0; k < w[0]; ++k)
        for (int64_t p = 0; p < y[2]; ++p)
          for (int64_t q = 0; q < y[3]; ++q)
            for (int64_t i = 0; i < w[1] * w[2] * w[3]; ++i) {
              const int64_t c = i / (w[2] * w[3]), r = i / w[3] % w[2], s = i % w[3];
              const int64_t h = p * o.stride - o.padding + r * o.dilation,
                            v = q * o.stride - o.padding + s * o.dilation;
              if (h < 0 || h >= x[2] || v < 0 || v >= x[3]) continue;
              body(n, k, p, q, k / (w[0] / o.groups) * w[1] + c, c, r, s, h, v);
            }
  }
};

Tensor sums_of_channels(const Tensor& dy) {
  const Tensor db = slow::make({dy.size(1)});
  for (int64_t i = 0; i < dy.size(); ++i)
    db.data<double>()[i / (dy.size(2) * dy.size(3)) % dy.size(1)] += dy.data<double>()[i];
  return db;
}

Layer conv(const Shape& x, const Shape& w, bool bias, ConvOptions o) {
  return {join("conv2d ", x, w),
          x,
          w,
          bias ? Shape{w[0]} : Shape(),
          [o](const Tensor& a, const Tensor& b, const Tensor& c, Precision precision) {
            ConvOptions options = o;
            options.precision = precision;
            return conv2d(a, b, c, options);
          },
          [o](const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& dy) {
            Results r{slow::conv2d(a, b, c, o), slow::make(a.shape()), slow::make(b.shape()),
                      sums_of_channels(dy)};
            Taps{o}.each(
                a.shape(), b.shape(), dy.shape(),
                [&](auto n, auto k, auto p, auto q, auto ch, auto i, auto row, auto col, auto h, auto v) {
                  slow::at(r.dx, n, ch, h, v) += slow::at(dy, n, k, p, q) * slow::at(b, k, i, row, col);
                  slow::at(r.dw, k, i, row, col) += slow::at(dy, n, k, p, q) * slow::at(a, n, ch, h, v);
                });
            return r;
          },
          std::max(w[1] * w[2] * w[3], x[0] * x[2] * x[3]) + 1};
}

Layer transposed(const Shape& x, const Shape& w, bool bias, ConvTransposeOptions o) {
  return {join("conv_transpose2d ", x, w),
          x,
          w,
          bias ? Shape{w[1] * o.groups} : Shape(),
          [o](const Tensor& a, const Tensor& b, const Tensor& c, Precision precision) {
            ConvTransposeOptions options = o;
            options.precision = precision;
            return conv_transpose2d(a, b, c, options);
          },
          [o](const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& dy) {
            Results r{slow::conv_transpose2d(a, b, c, o), slow::make(a.shape()), slow::make(b.shape()),
                      sums_of_channels(dy)};
            const ConvOptions conv{
                .stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups};
            Taps{conv}.each(
                dy.shape(), b.shape(), a.shape(),
                [&](auto n, auto k, auto p, auto q, auto ch, auto i, auto row, auto col, auto h, auto v) {
                  slow::at(r.dx, n, k, p, q) += slow::at(dy, n, ch, h, v) * slow::at(b, k, i, row, col);
                  slow::at(r.dw, k, i, row, col) += slow::at(a, n, k, p, q) * slow::at(dy, n, ch, h, v);
                });
            return r;
          },
          std::max({w[1] * w[2] * w[3], w[0] * w[2] * w[3], x[0] * x[2] * x[3]}) + 1};
}

Tensor turned(const Tensor& x) { return transpose(x).contiguous(); }
Tensor product(const Tensor& a, const Tensor& b) {
  return slow::matmul(a.unsqueeze(0), b.unsqueeze(0)).squeeze(0);
}

Layer dense(int64_t n, int64_t in, int64_t out, bool bias) {
  return {join("linear ", n, " x ", in, " -> ", out),
          {n, in},
          {out, in},
          bias ? Shape{out} : Shape(),
          [](const Tensor& a, const Tensor& b, const Tensor& c, Precision precision) {
            return linear(a, b, c, precision);
          },
          [](const Tensor& a, const Tensor& b, const Tensor& c, const Tensor& dy) {
            const Tensor y = product(a, turned(b));
            return Results{c.defined() ? (y + c).contiguous() : y, product(dy, b), product(turned(dy), a),
                           sum(dy, 0)};
          },
          std::max({n, in, out}) + 1};
}

Layer times(int64_t m, int64_t k, int64_t n) {
  return {join("matmul ", m, " x ", k, " x ", n),
          {m, k},
          {k, n},
          Shape(),
          [](const Tensor& a, const Tensor& b, const Tensor&, Precision precision) {
            return matmul(a, b, precision);
          },
          [](const Tensor& a, const Tensor& b, const Tensor&, const Tensor& dy) {
            return Results{product(a, b), product(dy, turned(b)), product(turned(a), dy), Tensor()};
          },
          std::max({m, k, n})};
}

std::vector<Layer> layers() {
  return {conv({2, 3, 7, 6}, {4, 3, 3, 3}, true, {.padding = 1}),
          conv({1, 1, 9, 8}, {5, 1, 5, 5}, false, {.stride = 2, .padding = 2}),
          conv({2, 4, 6, 6}, {6, 2, 3, 2}, true, {.dilation = 2, .groups = 2}),
          conv({3, 6, 5, 5}, {8, 6, 1, 1}, true, {}),
          transposed({2, 4, 4, 3}, {4, 3, 3, 3}, true, {.stride = 2, .padding = 1, .output_padding = 1}),
          transposed({1, 4, 5, 5}, {4, 2, 2, 2}, false, {.groups = 2}),
          dense(7, 40, 9, true),
          dense(5, 33, 4, false),
          times(6, 17, 20)};
}

/// `within` of the sum of the products' magnitudes, for each element.
void check_within(const char* what, const Tensor& got, const Tensor& expected, const Tensor& magnitude,
                  double within) {
  INFO(what);
  REQUIRE(got.shape() == expected.shape());
  const Tensor a = got.to(DType::float64).contiguous(), b = expected.contiguous(), c = magnitude.contiguous();
  int64_t wrong = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    wrong += !(std::abs(a.data<double>()[i] - b.data<double>()[i]) <= within * c.data<double>()[i]);
  CHECK(wrong == 0);
}

/// Values and gradients against the slow ones; random ones within the rounding of float32 sums.
void check(const Layer& layer, Precision precision, bool integers) {
  INFO(layer.name << ", " << precision << (integers ? ", integers" : ", random"));
  const auto make = [&](const Shape& s, uint64_t seed) { return integers ? whole(s, seed) : randn(s, seed); };
  const Tensor x = make(layer.x, 1), w = make(layer.w, 2),
               bias = layer.bias.rank() > 0 ? make(layer.bias, 3) : Tensor();
  const Tensor dy = make(layer.run(x, w, bias, Precision::float32).shape(), 4);
  const Results got = run(layer, x, w, bias, dy, precision);
  const Tensor b = bias.defined() ? bias.to(DType::float64) : bias;
  const Tensor fx = rounded(x, precision), fw = rounded(w, precision), fdy = rounded(dy, precision);
  const Results expected = layer.slow(fx, fw, b, fdy);
  const Results sizes =
      layer.slow(magnitudes(fx), magnitudes(fw), bias.defined() ? magnitudes(b) : b, magnitudes(fdy));
  const double u = 0x1p-24, k = double(layer.terms), within = integers ? 0 : k * u / (1 - k * u);
  check_within("y", got.y, expected.y, sizes.y, within);
  check_within("dx", got.dx, expected.dx, sizes.dx, within);
  check_within("dw", got.dw, expected.dw, sizes.dw, within);
  if (bias.defined()) check_within("db", got.db, expected.db, sizes.db, within);
}

}  // namespace

TEST_CASE(
    "bf16 and fp16: factors are rounded, products are summed in float32, in all passes on every instruction "
    "set") {
  for_each_isa([](const std::string& isa) {
    INFO(isa);
    for (const Layer& layer : layers()) {
      check(layer, Precision::bf16, true);
      check(layer, Precision::bf16, false);
      check(layer, Precision::fp16, false);  // integers whose sums are exact are float16 values all
    }
  });
}

TEST_CASE("fp16: what is too large for float16 becomes infinite, and small values keep 2^-24") {
  const Tensor x = tensor<float>({65504, 65520, -7e4f, 0x1p-24f, 0x1p-26f}, Shape{5, 1});
  const Tensor y = matmul(x, ones({1, 1}), Precision::fp16);
  CHECK(y.at({0, 0}) == 65504);
  CHECK(y.at({1, 0}) == INFINITY);
  CHECK(y.at({2, 0}) == -INFINITY);
  CHECK(y.at({3, 0}) == 0x1p-24);
  CHECK(y.at({4, 0}) == 0);
  check_error(
      [&] {
        conv2d(ones({1, 1, 2, 2}, DType::bfloat16), ones({1, 1, 1, 1}), {}, {.precision = Precision::fp16});
      },
      "precision fp16 takes float32, got bfloat16");
}

TEST_CASE("tf32: on the CPU the bits of float32") {
  for (const Layer& layer : layers()) {
    INFO(layer.name);
    const Tensor x = randn(layer.x, 1), w = randn(layer.w, 2),
                 bias = layer.bias.rank() > 0 ? randn(layer.bias, 3) : Tensor();
    const Tensor dy = randn(layer.run(x, w, bias, Precision::float32).shape(), 4);
    const Results a = run(layer, x, w, bias, dy, Precision::tf32),
                  b = run(layer, x, w, bias, dy, Precision::float32);
    CHECK(same_bits(a.y, b.y));
    CHECK(same_bits(a.dx, b.dx));
    CHECK(same_bits(a.dw, b.dw));
  }
}

TEST_CASE("bf16: values that bfloat16 holds give the bits of float32") {
  for (const Layer& layer : layers()) {
    INFO(layer.name);
    const auto make = [](const Shape& s, uint64_t seed) {
      return randn(s, seed).to(DType::bfloat16).to(DType::float32);
    };
    const Tensor x = make(layer.x, 1), w = make(layer.w, 2),
                 bias = layer.bias.rank() > 0 ? randn(layer.bias, 3) : Tensor();
    const Tensor dy = make(layer.run(x, w, bias, Precision::float32).shape(), 4);
    const Results a = run(layer, x, w, bias, dy, Precision::bf16),
                  b = run(layer, x, w, bias, dy, Precision::float32);
    CHECK(same_bits(a.y, b.y));
    CHECK(same_bits(a.dx, b.dx));
    CHECK(same_bits(a.dw, b.dw));
    if (bias.defined()) CHECK(same_bits(a.db, b.db));
  }
}

TEST_CASE("bf16: the same bits for any number of threads") {
  for (const Layer& layer : {conv({33, 3, 12, 12}, {9, 3, 3, 3}, true, {}), dense(150, 600, 70, true)}) {
    INFO(layer.name);
    const Tensor x = randn(layer.x, 1), w = randn(layer.w, 2), bias = randn(layer.bias, 3);
    const Tensor dy = randn(layer.run(x, w, bias, Precision::float32).shape(), 4);
    std::vector<Results> all;
    for (int threads : {1, 2, 3, 8}) {
      const Threads scope(threads);
      all.push_back(run(layer, x, w, bias, dy, Precision::bf16));
    }
    for (const Results& r : all) {
      CHECK(same_bits(r.y, all[0].y));
      CHECK(same_bits(r.dx, all[0].dx));
      CHECK(same_bits(r.dw, all[0].dw));
      CHECK(same_bits(r.db, all[0].db));
    }
  }
}

TEST_CASE("bf16: gradients of gradients round their factors, too") {
  // y = w x, summed with weight dy: d/dx = w dy. Its gradient in the direction g is g dy for w and g w for
  // dy.
  const Tensor x = parameter(full({1, 1}, 259)), w = parameter(full({1, 1}, 261)),
               dy = parameter(full({1, 1}, 263));
  const Tensor y = matmul(x, w, Precision::bf16);
  const Tensor dx = gradients(y, {x}, dy, {.create_graph = true})[0];
  CHECK(dx.item() == 260.0 * 264);  // 261 and 263 are halfway between even neighbours
  const Tensors second = gradients(dx, {w, dy}, full({1, 1}, 267));
  CHECK(second[0].item() == 268.0 * 264);
  CHECK(second[1].item() == 268.0 * 260);
}

TEST_CASE("bf16: bfloat16 tensors are taken as they are, float64 is refused") {
  const Tensor a = randn({3, 4}, 1).to(DType::bfloat16), b = randn({4, 5}, 2).to(DType::bfloat16);
  CHECK(same_bits(matmul(a, b, Precision::bf16), matmul(a, b)));
  const Tensor x = randn({2, 3, 5, 5}, 1, DType::float64), w = randn({4, 3, 3, 3}, 2, DType::float64);
  check_error([&] { conv2d(x, w, {}, {.precision = Precision::bf16}); },
              "conv2d: precision bf16 takes float32, got float64; convert with to(DType::float32)");
  check_error(
      [&] {
        linear(x, randn({2, 5}, 3, DType::float64), {}, Precision::bf16);
      },
      "linear: precision bf16");
}
