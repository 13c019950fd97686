#include "uncial/ops/shape_ops.h"

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"

using namespace uncial;
using namespace uncial::test;

namespace {

Tensor values(const Shape& shape, uint64_t seed = 3) { return randn(shape, seed, DType::float64); }

Tensor slow_concat(const Tensors& parts, int axis) {
  Shape shape = parts[0].shape();
  shape[axis] = 0;
  for (const Tensor& part : parts) shape[axis] += part.shape()[axis];
  const Tensor y = empty(shape, DType::float64);
  int64_t i = 0;
  for_each_index(shape, [&](Extents index) {
    size_t part = 0;
    while (index[axis] >= parts[part].shape()[axis]) index[axis] -= parts[part++].shape()[axis];
    y.data<double>()[i++] = element(parts[part], index);
  });
  return y;
}

Tensor slow_pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads, double value) {
  Shape shape = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis)
    shape[axis] += pads[size_t(axis)].first + pads[size_t(axis)].second;
  const Tensor y = empty(shape, DType::float64);
  int64_t i = 0;
  for_each_index(shape, [&](Extents index) {
    bool inside = true;
    for (int axis = 0; axis < x.rank(); ++axis) {
      index[axis] -= pads[size_t(axis)].first;
      inside = inside && index[axis] >= 0 && index[axis] < x.shape()[axis];
    }
    y.data<double>()[i++] = inside ? element(x, index) : value;
  });
  return y;
}

}  // namespace

TEST_CASE("concat: along every axis, empty and single parts") {
  const auto check = [](int axis, std::vector<Tensors> inputs) {
    check_op({.op = [=](const Tensors& parts) { return concat(parts, axis); },
              .reference = [=](const Tensors& parts) { return slow_concat(parts, axis); },
              .inputs = inputs,
              .value_tolerance = 0,
              .second_tolerance = 1e-6});
  };
  check(0, {{values({3}), values({4}, 4)},
            {values({0}), values({4}, 4)},
            {values({2, 3})},
            {values({2, 3}), values({1, 3}, 4), values({4, 3}, 5)},
            {values({2, 0}), values({1, 0}, 4)}});
  check(1, {{values({2, 3}), values({2, 1}, 4)},
            {values({2, 3}), values({2, 0}, 4), values({2, 2}, 5)},
            {values({2, 3, 4}), values({2, 2, 4}, 4)},
            {values({1, 2, 1, 2, 3}), values({1, 1, 1, 2, 3}, 4)}});
  check(2, {{values({2, 3, 4}), values({2, 3, 1}, 4)}, {values({300, 2, 70}), values({300, 2, 1}, 4)}});
  CHECK(concat({zeros({2}, DType::uint8), ones({1}, DType::uint8)}, -1).dtype() == DType::uint8);
  check_error([] { concat({}); }, "concat: needs at least one tensor");
  check_error(
      [] {
        concat({zeros({2, 3}), zeros({2, 4})}, 0);
      },
      "concat: got float32(2, 4) after float32(2, 3)");
  check_error([] { concat({zeros({2, 3}), zeros({2})}, 1); }, "concat: got float32(2) after float32(2, 3)");
  check_error([] { concat({zeros({2}), zeros({2}, DType::float64)}); }, "need one dtype");
  check_error([] { concat({zeros({}), zeros({})}); }, "concat: axis 0 is outside");
}

TEST_CASE("concat: one tensor twice gets both gradients") {
  const Tensor x = parameter(tensor<double>({1, 2}));
  concat({x, x}).backward(tensor<double>({1, 2, 10, 20}));
  check_close(x.grad(), tensor<double>({11, 22}), 0);
}

TEST_CASE("pad: every side of every rank") {
  const auto check = [](const Shape& shape, std::vector<std::pair<int64_t, int64_t>> pads, double value) {
    check_op({.op = [=](const Tensor& x) { return pad(x, pads, value); },
              .reference = [=](const Tensor& x) { return slow_pad(x, pads, value); },
              .inputs = {{values(shape)}},
              .value_tolerance = 0,
              .second_tolerance = 1e-6});
  };
  check({}, {}, 0);
  check({3}, {{1, 2}}, 0);
  check({3}, {{0, 0}}, 5);
  check({0}, {{2, 1}}, -1.5);
  check({2, 3}, {{1, 0}, {0, 2}}, 0);
  check({2, 3}, {{2, 2}, {2, 2}}, 7);
  check({2, 0}, {{0, 1}, {0, 0}}, 1);
  check({2, 3, 4, 5}, {{0, 0}, {0, 0}, {1, 1}, {2, 2}}, 0);
  check({1, 2, 1, 2, 1}, {{1, 0}, {0, 1}, {1, 1}, {0, 0}, {3, 0}}, 0);
  check({100, 100}, {{40, 0}, {0, 90}}, 0);
  check_error([] { pad(zeros({2, 3}), {{1, 1}}); }, "pad: 1 pairs for shape (2, 3)");
  check_error([] { pad(zeros({2}), {{-1, 0}}); }, "pad: pads must be >= 0");
}

TEST_CASE("pads whose sum no index can count are refused") {
  CHECK_THROWS_AS(pad(ones({2}), {{INT64_MAX, INT64_MAX}}), Error);
  CHECK_THROWS_AS(pad(ones({2}), {{0, INT64_MAX - 1}}), Error);
}

TEST_CASE("many parts are joined") {
  Tensors parts;
  for (int i = 0; i < 40; ++i) parts.push_back(full({1}, i));
  const Tensor all = concat(parts);
  CHECK(all.at({39}) == 39);
}
