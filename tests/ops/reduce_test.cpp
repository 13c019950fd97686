#include "uncial/ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/shape_ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const double kNan = std::nan("");

/// Shapes with a reduction over first, middle and last axes, short and longer than one block of the sum tree.
const std::vector<Shape> kShapes = {{1},        {0},        {7},          {3, 5},    {1, 9},
                                    {4, 0, 2},  {2, 3, 4},  {2, 1, 3},    {1, 1},    {1, 2, 3, 1, 2},
                                    {20000, 3}, {3, 20000}, {2, 9000, 2}, {300, 270}};

std::vector<Tensors> inputs(bool with_empty = true) {
  std::vector<Tensors> list;
  for (const Shape& shape : kShapes)
    if (with_empty || count(shape) > 0) list.push_back({randn(shape, list.size() + 1, DType::float64)});
  return list;
}

/// The same shapes with values 2e-4 apart, in mixed order: steps of 1e-5 do not move the largest one
/// elsewhere.
std::vector<Tensors> distinct_inputs() {
  constexpr int64_t kPrime = 1000003;  // shares no factor with any size above
  std::vector<Tensors> list = inputs(false);
  for (const Tensors& x : list) {
    const auto values = x[0].span<double>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = 2e-4 * double(int64_t(i) * kPrime % x[0].size());
  }
  return list;
}

/// Reduces one axis by a function of the values along it, in order.
Tensor slow_reduce(const Tensor& x, int axis, const std::function<double(const std::vector<double>&)>& f,
                   bool keep = false) {
  Shape shape = x.shape();
  int64_t inner = 1;
  for (int i = axis + 1; i < x.rank(); ++i) inner *= shape[i];
  std::vector<double> values(size_t(std::exchange(shape[axis], 1)));
  const Tensor rows = x.contiguous(), y = empty(shape, DType::float64);
  const double* from = rows.data<double>();
  double* to = y.data<double>();
  for (int64_t i = 0, count = y.size(); i < count; ++i) {
    const double* line = from + i / inner * inner * int64_t(values.size()) + i % inner;
    for (size_t j = 0; j < values.size(); ++j) values[j] = line[int64_t(j) * inner];
    to[i] = f(values);
  }
  if (!keep) shape.erase(axis);
  return y.reshape(shape);
}

double total(const std::vector<double>& values) {
  long double sum = 0;
  for (double v : values) sum += v;
  return double(sum);
}
double average(const std::vector<double>& values) { return total(values) / double(values.size()); }
double spread(const std::vector<double>& values) {
  const double m = average(values);
  std::vector<double> squares;
  for (double v : values) squares.push_back((v - m) * (v - m));
  return average(squares);
}
double largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }
double smallest(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }
double position_of_largest(const std::vector<double>& values) {
  return double(std::max_element(values.begin(), values.end()) - values.begin());
}

/// Over every axis of every shape, dropping and keeping it.
void check_axes(Tensor (*op)(const Tensor&, int64_t, KeepDims),
                double (*reference)(const std::vector<double>&), const std::vector<Tensors>& all,
                double second_tolerance = 1e-6) {
  for (int axis = 0; axis < 5; ++axis) {
    std::vector<Tensors> usable;
    for (const Tensors& x : all)
      if (axis < x[0].rank()) usable.push_back(x);
    for (bool keep : {false, true})
      check_op({.op = [=](const Tensor& x) { return op(x, keep ? axis - x.rank() : axis, {keep}); },
                .reference = [=](const Tensor& x) { return slow_reduce(x, axis, reference, keep); },
                .inputs = usable,
                .value_tolerance = 1e-11,
                .second_tolerance = second_tolerance});
  }
}

}  // namespace

TEST_CASE("reduce: sum, mean, max and min along an axis") {
  SECTION("sum") { check_axes(sum, total, inputs()); }
  SECTION("mean") { check_axes(mean, average, inputs(false)); }
  SECTION("max") { check_axes(max, largest, distinct_inputs()); }
  SECTION("min") { check_axes(min, smallest, distinct_inputs()); }
  SECTION("var") {
    check_axes([](const Tensor& x, int64_t axis, KeepDims keep) { return var(x, axis, {.keep = keep}); },
               spread, inputs(false), 1e-5);
  }
}

TEST_CASE("reduce: over all elements") {
  const auto all = [](auto reference) {
    return [=](const Tensor& x) {
      const Tensor flat = x.contiguous().reshape({x.size()});
      return slow_reduce(flat, 0, reference);
    };
  };
  const auto with_scalar = [](std::vector<Tensors> list) {
    list.push_back({randn({}, 9, DType::float64)});
    return list;
  };
  check_op({.op = [](const Tensor& x) { return sum(x); },
            .reference = all(total),
            .inputs = with_scalar(inputs()),
            .value_tolerance = 1e-11,
            .second_tolerance = 1e-6});
  check_op({.op = [](const Tensor& x) { return mean(x); },
            .reference = all(average),
            .inputs = with_scalar(distinct_inputs()),
            .second_tolerance = 1e-6});
  check_op({.op = [](const Tensor& x) { return max(x); },
            .reference = all(largest),
            .inputs = with_scalar(distinct_inputs())});
  check_op({.op = [](const Tensor& x) { return min(x); },
            .reference = all(smallest),
            .inputs = with_scalar(distinct_inputs())});
}

TEST_CASE("reduce: sum_to undoes broadcasting") {
  const auto pairs = std::vector<std::pair<Shape, Shape>>{{{2, 3}, {2, 3}},
                                                          {{2, 3}, {3}},
                                                          {{2, 3}, {2, 1}},
                                                          {{2, 3}, {}},
                                                          {{4, 2, 3}, {1, 3}},
                                                          {{4, 2, 3}, {2, 1}},
                                                          {{2, 3, 4, 5}, {3, 1, 1}},
                                                          {{2, 3, 4, 5}, {1, 3, 1, 5}},
                                                          {{0, 3}, {3}},
                                                          {{1, 3}, {1, 1}},
                                                          {{2, 1, 3, 1, 2}, {1, 3, 1, 1}},
                                                          {{3}, {1}}};
  for (const auto& [from, to] : pairs) {
    const Shape target = to;
    check_op({.op = [=](const Tensor& x) { return sum_to(x, target); },
              .reference =
                  [=](const Tensor& x) {
                    const Tensor y = zeros(target, DType::float64);
                    for_each_index(x.shape(), [&](const Extents& index) {
                      int64_t offset = 0;
                      for (int axis = 0; axis < target.rank(); ++axis)
                        if (target[axis] > 1)
                          offset += index[index.rank() - target.rank() + axis] * y.strides()[axis];
                      y.data<double>()[offset] += element(x, index);
                    });
                    return y;
                  },
              .inputs = {{randn(from, 1, DType::float64)}},
              .second_tolerance = 1e-6});
  }
  check_error([] { sum_to(zeros({2, 3}), {2}); }, "sum_to: shape (2) does not broadcast to (2, 3)");
}

TEST_CASE("reduce: argmax") {
  for (const Tensors& x : inputs(false))
    for (int axis = 0; axis < x[0].rank(); ++axis) {
      const Tensor index = argmax(x[0], axis);
      CHECK(index.dtype() == DType::int64);
      check_close(index, slow_reduce(x[0], axis, position_of_largest), 0);
      check_close(argmax(as_strided(x[0]), axis, keep_dims),
                  slow_reduce(x[0], axis, position_of_largest, true), 0);
    }
  CHECK_FALSE(argmax(parameter(ones({3}))).requires_grad());
}

TEST_CASE("reduce: ties go to the first, NaN wins") {
  const Tensor x = parameter(tensor<double>({1, 3, 3, 2, 2, 2}, Shape{2, 3}));
  max(x, 1).sum().backward();
  check_close(x.grad(), tensor<double>({0, 1, 0, 1, 0, 0}, Shape{2, 3}), 0);
  check_close(argmax(x), tensor<int64_t>({1, 0}), 0);
  const Tensor holes = tensor<float>({1, float(kNan), 5, float(kNan)});
  CHECK(std::isnan(max(holes).item()));
  CHECK(std::isnan(min(holes).item()));
  CHECK(argmax(holes).item<int>() == 1);
}

TEST_CASE("reduce: integers and bool sum to int64") {
  for (DType t : {DType::int64, DType::int32, DType::uint8, DType::boolean}) {
    const Tensor x = ones({300, 7}, t);
    CHECK(x.sum().dtype() == DType::int64);
    CHECK(x.sum().item<int64_t>() == 2100);
    check_close(x.sum(0), full({7}, 300, DType::int64), 0);
    check_close(x.max(1), ones({300}, DType::float64), 0);
  }
  const Tensor large = full({40000}, 200000, DType::int32);
  CHECK(large.sum().item<int64_t>() == int64_t(8000000000));
  CHECK(zeros({0}).sum().item() == 0);
  CHECK(zeros({0, 4}).sum(0).shape() == Shape{4});
}

TEST_CASE("reduce: float sums are held in double") {
  // In float, adding 1 to 2^24 changes nothing.
  const Tensor x = concat({full({1}, 16777216.0), ones({1000})});
  CHECK(x.sum().item() == 16777216.0 + 1000);
  const Tensor many = full({1 << 20}, 0.1);
  CHECK(many.sum().item() == Approx(0.1f * double(1 << 20)).epsilon(6e-8));
}

TEST_CASE("reduce: wrong arguments") {
  check_error([] { sum(zeros({2, 3}), 2); }, "sum: axis 2 is outside [-2, 2)");
  check_error([] { max(zeros({2, 0}), 1); }, "max: axis 1 of shape (2, 0) is empty");
  check_error([] { max(zeros({0})); }, "max: axis 0 of shape (0) is empty");
  check_error([] { mean(zeros({0})); }, "mean: nothing to average in shape (0)");
  check_error([] { mean(zeros({2, 0}), 1); }, "mean: nothing to average in shape (2, 0)");
  check_error([] { mean(zeros({2}, DType::int64)); }, "mean: does not support int64");
  check_error(
      [] {
        var(zeros({2, 1}), 1, {.unbiased = true});
      },
      "var: the unbiased variance needs two values");
  check_error([] { argmax(zeros({})); }, "argmax: axis -1 is outside [0, 0) of a tensor of rank 0");
}
