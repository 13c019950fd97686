// Arithmetic on the types that are not everybody's: bfloat16, uint8, bool.
#include <cmath>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// The nearest number with 8 significant bits, ties to even, by the C library.
double to_bfloat16(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  int exponent;
  std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(x, 8 - exponent)), exponent - 8);
}

/// Numbers that bfloat16 has, between 2^-6 and 2^6, of both signs.
Tensor narrow(const Shape& shape, uint64_t seed) {
  const Tensor sizes = rand(shape, seed, -6, 6, DType::float64),
               signs = rand(shape, seed + 1, -1, 1, DType::float64);
  return slow_zip(sizes, signs, [](double a, double b) { return std::copysign(std::exp2(a), b); })
      .to(DType::bfloat16);
}

Tensor bytes(const Shape& shape, uint64_t seed) { return rand(shape, seed, 0, 256).to(DType::uint8); }
Tensor bools(const Shape& shape, uint64_t seed) { return rand(shape, seed) < full({}, 0.5); }

double modulo_256(double x) { return x - 256 * std::floor(x / 256); }

using Two = Tensor (*)(const Tensor&, const Tensor&);

void check_exact(Two op, double (*reference)(double, double), const Tensor& a, const Tensor& b) {
  check_op({.op = op,
            .reference = [=](const Tensor& x, const Tensor& y) { return slow_zip(x, y, reference); },
            .inputs = {{a, b}},
            .value_tolerance = 0,
            .gradient_tolerance = 0,
            .float_tolerance = 0});
}

}  // namespace

TEST_CASE("bfloat16: arithmetic is the exact result, rounded once") {
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},      {{1}, {1}},       {{0}, {1}},          {{7}, {}},
      {{3, 5}, {5}}, {{4, 1}, {1, 6}}, {{2, 3, 4}, {3, 1}}, {{40, 130}, {130}}};
  for (const auto& [left, right] : shapes) {
    const Tensor a = narrow(left, 1), b = narrow(right, 3);
    check_exact(
        add, [](double x, double y) { return to_bfloat16(x + y); }, a, b);
    check_exact(
        subtract, [](double x, double y) { return to_bfloat16(x - y); }, a, b);
    check_exact(
        multiply, [](double x, double y) { return to_bfloat16(x * y); }, a, b);
    check_exact(
        divide, [](double x, double y) { return to_bfloat16(x / y); }, a, b);
    check_exact(
        maximum, [](double x, double y) { return std::max(x, y); }, a, b);
    check_exact(
        less, [](double x, double y) { return double(x < y); }, a, b);
    CHECK(add(a, b).dtype() == DType::bfloat16);
    CHECK(equal(a, b).dtype() == DType::boolean);
  }
  const Tensor x = narrow({300}, 5);
  check_close(x + 1.0, slow_map(x, [](double v) { return to_bfloat16(v + 1); }), 0);
  check_close(3.0 / x, slow_map(x, [](double v) { return to_bfloat16(3 / v); }), 0);
  check_close(-x, slow_map(x, [](double v) { return -v; }), 0);
  check_close(where(x > zeros({}, DType::bfloat16), x, -x), slow_map(x, [](double v) { return std::abs(v); }),
              0);
  check_error([&] { x + ones({300}); }, "the operands are bfloat16 and float32");
}

TEST_CASE("bfloat16: activations are within half a unit of the last place") {
  struct Row {
    Tensor (*op)(const Tensor&);
    double (*reference)(double);
  };
  const Row rows[] = {
      {relu, [](double x) { return std::max(x, 0.0); }},
      {tanh, [](double x) { return std::tanh(x); }},
      {sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {exp, [](double x) { return std::exp(x); }},
      {softplus, [](double x) { return std::log1p(std::exp(x)); }},
      {square, [](double x) { return x * x; }},
      {silu, [](double x) { return x / (1 + std::exp(-x)); }},
      {gelu, [](double x) { return x * 0.5 * std::erfc(-x * std::sqrt(0.5)); }},
  };
  const Tensor x = clip(narrow({500}, 7), -4, 20);
  for (const Row& row : rows) {
    const Tensor y = row.op(x);
    CHECK(y.dtype() == DType::bfloat16);
    for (int64_t i = 0; i < x.size(); ++i) {
      const double exact = row.reference(x.at({i}));
      INFO("x " << x.at({i}) << " y " << y.at({i}) << " exact " << exact);
      CHECK(std::abs(y.at({i}) - exact) <= 0x1.01p-9 * std::exp2(std::ilogb(exact) + 1));
    }
  }
}

TEST_CASE("bfloat16: sums and products are held in wider numbers") {
  // Kept in bfloat16, a sum of ones would stop at 256.
  const Tensor x = ones({2, 1000}, DType::bfloat16);
  CHECK(sum(x).item() == 2000);
  check_close(sum(x, 1), full({2}, 1000), 0);
  CHECK(mean(x).item() == 1);
  check_close(mean(x, 0), ones({1000}), 0);
  check_close(matmul(x, x.transpose()), full({2, 2}, 1000), 0);
  check_close(linear(x, x, zeros({2}, DType::bfloat16)), full({2, 2}, 1000), 0);
  CHECK(var(tensor<float>({1, 3, 5}).to(DType::bfloat16), 0).item() == to_bfloat16(8.0 / 3));
  const Tensor y = tensor<float>({2, -7, 7, 1}).to(DType::bfloat16);
  CHECK(max(y).item() == 7);
  CHECK(min(y).item() == -7);
  CHECK(argmax(y).item<int64_t>() == 2);
  check_close(softmax(zeros({3, 4}, DType::bfloat16)), full({3, 4}, 0.25), 0);
  check_close(gather(y, tensor<int64_t>({3, 0})), tensor<float>({1, 2}), 0);
  check_close(one_hot(tensor<int64_t>({1}), 2, DType::bfloat16), tensor<float>({0, 1}, Shape{1, 2}), 0);
  for (const Tensor& t :
       {sum(x), mean(x), matmul(x, x.transpose()), max(y), softmax(y), gather(y, arange(0, 2))})
    CHECK(t.dtype() == DType::bfloat16);
}

TEST_CASE("bfloat16: gradients are those of float32, rounded") {
  const auto loss = [](const Tensors& in) {
    return sum(gelu(matmul(in[0], in[1])) * max(in[0], 1, keep_dims) +
               layer_norm(in[0], {}, {}).slice(1, {0, 3}));
  };
  const Tensor a = narrow({4, 5}, 1), b = narrow({5, 3}, 9);
  const auto gradients_in = [&](DType dtype) {
    const Tensors in{parameter(a.to(dtype)), parameter(b.to(dtype))};
    loss(in).backward();
    return Tensors{in[0].grad(), in[1].grad()};
  };
  const Tensors low = gradients_in(DType::bfloat16), high = gradients_in(DType::float32);
  for (size_t i = 0; i < 2; ++i) {
    CHECK(low[i].dtype() == DType::bfloat16);
    const double largest = max(abs(high[i])).item();
    check_close(low[i].to(DType::float32) / largest, high[i] / largest, 0x1p-6);  // a few roundings of 2^-9
  }
}

TEST_CASE("uint8: arithmetic is modulo 256") {
  for (const auto& [left, right] :
       std::vector<std::pair<Shape, Shape>>{{{}, {}}, {{0}, {1}}, {{300}, {}}, {{9, 31}, {31}}}) {
    const Tensor a = bytes(left, 1), b = bytes(right, 2);
    check_exact(
        add, [](double x, double y) { return modulo_256(x + y); }, a, b);
    check_exact(
        subtract, [](double x, double y) { return modulo_256(x - y); }, a, b);
    check_exact(
        multiply, [](double x, double y) { return modulo_256(x * y); }, a, b);
    check_exact(
        divide, [](double x, double y) { return std::floor(x / y); }, a, maximum(b, ones({}, DType::uint8)));
    check_exact(
        minimum, [](double x, double y) { return std::min(x, y); }, a, b);
    CHECK(add(a, b).dtype() == DType::uint8);
  }
  const Tensor x = tensor<uint8_t>({255, 0, 7});
  check_close(x / x.slice(0, {0, 1}), tensor<float>({1, 0, 0}), 0);  // 255 is no -1
  check_close(-x, tensor<float>({1, 0, 249}), 0);
  check_close(x + 2, tensor<float>({1, 2, 9}), 0);
  check_close(3 - x, tensor<float>({4, 3, 252}), 0);
  CHECK(sum(x).item<int64_t>() == 262);
  check_error([&] { x / x; }, "an integer is divided by zero");
  check_error([&] { x + 256; },
              "uint8 tensor and 256: the number is out of its range; convert with x.to(DType::int64)");
  check_error([&] { x * -1.0; }, "out of its range");
  check_error([&] { x + 0.5; }, "not whole");
  check_error([&] { exp(x); }, "exp: does not support uint8");
}

TEST_CASE("bool: has logic and counts") {
  for (const auto& [left, right] :
       std::vector<std::pair<Shape, Shape>>{{{}, {}}, {{0}, {1}}, {{70}, {}}, {{9, 31}, {31}}}) {
    const Tensor a = bools(left, 1), b = bools(right, 2);
    check_exact(
        logical_and, [](double x, double y) { return x * y; }, a, b);
    check_exact(
        logical_or, [](double x, double y) { return std::max(x, y); }, a, b);
    check_exact(
        logical_xor, [](double x, double y) { return std::abs(x - y); }, a, b);
    check_close(logical_not(a), slow_map(a, [](double x) { return 1 - x; }), 0);
    CHECK(logical_not(a).dtype() == DType::boolean);
  }
  const Tensor mask = tensor<bool>({true, false, true});
  CHECK(sum(mask).dtype() == DType::int64);
  CHECK(sum(mask).item<int64_t>() == 2);
  for (const Two op : {Two(add), Two(subtract), Two(multiply), Two(divide), Two(minimum), Two(pow)})
    check_error([&] { op(mask, mask); },
                "bool tensors have no arithmetic; count with x.to(DType::int64), or use logical_and");
  check_error([&] { mask + 1; }, "add: bool tensors have no arithmetic");
  check_error([&] { -mask; }, "bool tensors have no arithmetic");
  check_error([&] { logical_and(mask, ones({3})); }, "logical_and: needs bool tensors, got float32");
  check_error([&] { logical_not(ones({3})); }, "logical_not: needs a bool tensor, got float32");
}
