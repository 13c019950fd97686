#include <cmath>
#include <limits>

#include "ops/elementwise_shapes.h"
#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const double kNan = std::nan("");

/// Every way in which two shapes meet.
std::vector<Tensors> operand_pairs(double low, double high) {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{}, {}},
                                                       {{5}, {}},
                                                       {{}, {5}},
                                                       {{3, 5}, {5}},
                                                       {{5}, {3, 5}},
                                                       {{3, 5}, {3, 1}},
                                                       {{1, 5}, {3, 1}},
                                                       {{0}, {1}},
                                                       {{4, 0}, {1, 0}},
                                                       {{2, 3, 4, 5}, {3, 1, 1}},
                                                       {{7, 1}, {1, 6}},
                                                       {{2, 3, 4}, {2, 3, 4}},
                                                       {{2, 1, 3, 1, 2}, {2, 1, 4, 1}},
                                                       {{300, 130}, {130}},
                                                       {{1}, {1, 1, 1}}};
  std::vector<Tensors> pairs;
  for (const auto& [a, b] : shapes) {
    const uint64_t seed = 2 * pairs.size() + 1;
    pairs.push_back({rand(a, seed, low, high, DType::float64), rand(b, seed + 1, low, high, DType::float64)});
  }
  return pairs;
}

void check_binary(Tensor (*op)(const Tensor&, const Tensor&), double (*reference)(double, double), double low,
                  double high, double float_tolerance = 1e-4) {
  check_op({.op = op,
            .reference = [=](const Tensor& a, const Tensor& b) { return slow_zip(a, b, reference); },
            .inputs = operand_pairs(low, high),
            .value_tolerance = 1e-13,
            .gradient_tolerance = 1e-6,
            .second_tolerance = 1e-6,
            .float_tolerance = float_tolerance});
}

template <class T>
void check_integers(Tensor (*op)(const Tensor&, const Tensor&), double (*reference)(double, double)) {
  const Tensor a = tensor<T>({7, -7, 0, 100, 5}), b = tensor<T>({2, 2, 3, -7, -5});
  const Tensor y = op(a, b);
  CHECK(y.dtype() == dtype_of<T>());
  check_close(y, slow_zip(a, b, reference), 0);
}

}  // namespace

TEST_CASE("binary: arithmetic over broadcast shapes") {
  SECTION("add") {
    check_binary(
        add, [](double a, double b) { return a + b; }, -2, 2);
  }
  SECTION("subtract") {
    check_binary(
        subtract, [](double a, double b) { return a - b; }, -2, 2);
  }
  SECTION("multiply") {
    check_binary(
        multiply, [](double a, double b) { return a * b; }, -2, 2);
  }
  SECTION("divide") {
    check_binary(
        divide, [](double a, double b) { return a / b; }, 0.5, 2);
  }
  SECTION("minimum") {
    check_binary(
        minimum, [](double a, double b) { return std::min(a, b); }, -2, 2);
  }
  SECTION("maximum") {
    check_binary(
        maximum, [](double a, double b) { return std::max(a, b); }, -2, 2);
  }
  SECTION("pow") {
    check_binary(
        pow, [](double a, double b) { return std::pow(a, b); }, 0.5, 2, 1e-3);
  }
}

TEST_CASE("binary: one tensor as both operands") {
  const Tensor x = parameter(tensor<double>({1.5, -2}));
  (x * x + x / x).sum().backward();
  check_close(x.grad(), tensor<double>({3, -4}));
}

TEST_CASE("binary: integers") {
  const auto both = [](auto op, auto reference) {
    check_integers<int32_t>(op, reference);
    check_integers<int64_t>(op, reference);
  };
  both(add, [](double a, double b) { return a + b; });
  both(subtract, [](double a, double b) { return a - b; });
  both(multiply, [](double a, double b) { return a * b; });
  both(divide, [](double a, double b) { return std::trunc(a / b); });
  both(minimum, [](double a, double b) { return std::min(a, b); });
  both(maximum, [](double a, double b) { return std::max(a, b); });

  const int64_t lowest = std::numeric_limits<int64_t>::min();
  CHECK((tensor<int64_t>({lowest}) / tensor<int64_t>({-1})).item<int64_t>() ==
        lowest);  // wraps, does not trap
  CHECK((tensor<int32_t>({7}) / 2).item<int>() == 3);
  CHECK((tensor<int64_t>({7}) * -3).item<int>() == -21);
  CHECK((10 - tensor<int32_t>({7})).item<int>() == 3);
  CHECK((-tensor<int32_t>({7})).item<int>() == -7);
  check_error(
      [] {
        divide(tensor<int32_t>({1, 2}), tensor<int32_t>({1, 0}));
      },
      "divide: an integer is divided by zero");
  check_error([] { tensor<int32_t>({1}) * 0.5; }, "the number is not whole");
}

TEST_CASE("binary: NaN wins in minimum and maximum, ties share the gradient") {
  const Tensor a = tensor<double>({kNan, 1, kNan}), b = tensor<double>({1, kNan, kNan});
  check_close(minimum(a, b), full({3}, kNan, DType::float64), 0);
  check_close(maximum(a, b), full({3}, kNan, DType::float64), 0);
  for (auto op : {minimum, maximum}) {
    const Tensor x = parameter(tensor<double>({2})), y = parameter(tensor<double>({2}));
    op(x, y).sum().backward();
    CHECK(x.grad().item() == 0.5);
    CHECK(y.grad().item() == 0.5);
  }
}

TEST_CASE("binary: gradients of pow at the edge of its domain") {
  const Tensor x = parameter(tensor<double>({0, 0, 0, -2})), p = parameter(tensor<double>({0, 1, 2, 3}));
  pow(x, p).sum().backward();
  check_close(x.grad(), tensor<double>({0, 1, 0, 12}));
  check_close(p.grad(), tensor<double>({0, 0, 0, 0}));  // 0 where the base is not positive
}

TEST_CASE("compare: every comparison, type and layout") {
  const Tensor a = tensor<double>({1, 2, 3, kNan, 0, -1}, Shape{2, 3}),
               b = tensor<double>({2, 2, 2}, Shape{3});
  struct Row {
    Tensor (*op)(const Tensor&, const Tensor&);
    double (*reference)(double, double);
  };
  const Row rows[] = {{equal, [](double x, double y) { return double(x == y); }},
                      {not_equal, [](double x, double y) { return double(x != y); }},
                      {less, [](double x, double y) { return double(x < y); }},
                      {less_equal, [](double x, double y) { return double(x <= y); }},
                      {greater, [](double x, double y) { return double(x > y); }},
                      {greater_equal, [](double x, double y) { return double(x >= y); }}};
  for (const Row& row : rows) {
    check_op({.op = row.op,
              .reference = [&](const Tensor& x, const Tensor& y) { return slow_zip(x, y, row.reference); },
              .inputs = {{a, b}, {b, a}, {zeros({0, 3}, DType::float64), b}},
              .value_tolerance = 0,
              .gradient_tolerance = 0});
    for (DType t : {DType::int64, DType::int32, DType::uint8, DType::boolean}) {
      const Tensor x = tensor<int64_t>({0, 1, 1, 3}).to(t), y = tensor<int64_t>({1, 1, 0, 2}).to(t);
      const Tensor answer = row.op(x, y);
      CHECK(answer.dtype() == DType::boolean);
      check_close(answer, slow_zip(x, y, row.reference), 0);
    }
  }
  const Tensor leaf = parameter(ones({2}));
  CHECK_FALSE((leaf > leaf).requires_grad());
}

TEST_CASE("where: values and gradients, all three operands broadcast") {
  const Tensor condition = tensor<int32_t>({1, 0, 1, 0, 0, 1}, Shape{2, 3}).to(DType::boolean);
  const auto reference = [](const Tensor& c, const Tensor& a, const Tensor& b) {
    const Tensor taken = slow_zip(c, a, [](double use, double x) { return use != 0 ? x : 0; });
    const Tensor other = slow_zip(c, b, [](double use, double x) { return use != 0 ? 0 : x; });
    return slow_zip(taken, other, [](double x, double y) { return x + y; });
  };
  const auto random = [](const Shape& shape, uint64_t seed) { return randn(shape, seed, DType::float64); };
  check_op({.op = where,
            .reference = reference,
            .inputs = {{condition, random({2, 3}, 1), random({2, 3}, 2)},
                       {condition, random({}, 1), random({3}, 2)},
                       {condition, random({2, 1}, 1), random({4, 2, 3}, 2)},
                       {condition.select(0, 0), random({2, 3}, 1), random({1, 1}, 2)},
                       {zeros({0}, DType::boolean), random({1}, 1), random({}, 2)}},
            .second_tolerance = 1e-6});
  // A NaN on the side that is not taken stays out of value and gradient.
  const Tensor x = parameter(tensor<double>({kNan, 1}));
  const Tensor y = where(tensor<uint8_t>({0, 1}).to(DType::boolean), x, zeros({}, DType::float64));
  y.sum().backward();
  check_close(y, tensor<double>({0, 1}), 0);
  check_close(x.grad(), tensor<double>({0, 1}), 0);
}

TEST_CASE("binary: wrong arguments") {
  check_error(
      [] {
        zeros({2, 3}) + zeros({2});
      },
      "add: shapes (2, 3) and (2) do not broadcast: axis -1 is 3 and 2");
  check_error([] { zeros({2}) * zeros({2}, DType::float64); },
              "multiply: the operands are float32 and float64");
  check_error([] { pow(zeros({2}, DType::int64), zeros({2}, DType::int64)); }, "pow: does not support int64");
  check_error([] { where(zeros({2}), zeros({2}), zeros({2})); },
              "where: the condition must be bool, got float32");
}
