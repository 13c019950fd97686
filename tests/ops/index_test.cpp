#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/shape_ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

Tensor slow_gather(const Tensor& x, const Tensor& indices, int axis) {
  Shape shape = x.shape();
  shape[axis] = indices.size();
  const Tensor y = empty(shape, DType::float64);
  int64_t i = 0;
  for_each_index(shape, [&](Extents index) {
    const auto k = int64_t(element(indices, {index[axis]}));
    index[axis] = k < 0 ? k + x.shape()[axis] : k;
    y.data<double>()[i++] = element(x, index);
  });
  return y;
}

}  // namespace

TEST_CASE("gather: every axis, repeated and negative indices") {
  const auto check = [](const Shape& shape, int axis, std::initializer_list<int64_t> indices) {
    check_op({.op = [=](const Tensor& x, const Tensor& i) { return gather(x, i, axis); },
              .reference = [=](const Tensor& x, const Tensor& i) { return slow_gather(x, i, axis); },
              .inputs = {{randn(shape, 1, DType::float64), tensor<int64_t>(indices)}},
              .value_tolerance = 0,
              .second_tolerance = 1e-6});
  };
  check({5}, 0, {0, 4, 2});
  check({5}, 0, {1, 1, 1, -1});
  check({5}, 0, {});
  check({1}, 0, {0, 0});
  check({4, 3}, 0, {3, 0, 3});
  check({4, 3}, 1, {-3, 2, 1, 0, -1});
  check({4, 0}, 0, {1, 1});
  check({2, 3, 4}, 0, {1});
  check({2, 3, 4}, 1, {2, 2, 0});
  check({2, 3, 4}, 2, {3, -4, 3});
  check({1, 2, 1, 3, 2}, 3, {2, 0});
  check({300, 200}, 1, {199, 0, 7, 7});
  CHECK(gather(tensor<uint8_t>({5, 6}), tensor<int64_t>({1})).item<int>() == 6);
  check_error(
      [] {
        gather(zeros({3}), tensor<int64_t>({0, 3}));
      },
      "gather: index 3 at position 1 is outside [-3, 3)");
  check_error([] { gather(zeros({3}), tensor<int64_t>({-4})); }, "gather: index -4 at position 0");
  check_error([] { gather(zeros({3}), tensor<int32_t>({0})); }, "gather: indices must be int64, got int32");
  check_error(
      [] {
        gather(zeros({3}), zeros({1, 1}, DType::int64));
      },
      "gather: indices must be a vector, got (1, 1)");
}

TEST_CASE("gather: gradients of repeated indices add") {
  const Tensor x = parameter(zeros({3, 2}, DType::float64));
  gather(x, tensor<int64_t>({2, 0, 2})).backward(tensor<double>({1, 2, 3, 4, 5, 6}, Shape{3, 2}));
  check_close(x.grad(), tensor<double>({3, 4, 0, 0, 6, 8}, Shape{3, 2}), 0);
}

TEST_CASE("one_hot") {
  const Tensor y = one_hot(tensor<int64_t>({2, 0, 1, 2}, Shape{2, 2}), 3);
  CHECK(y.dtype() == DType::float32);
  check_close(y, tensor<float>({0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, Shape{2, 2, 3}), 0);
  CHECK(one_hot(zeros({0}, DType::int64), 4, DType::boolean).shape() == Shape{0, 4});
  CHECK(one_hot(zeros({}, DType::int64), 1, DType::int32).item<int>() == 1);
  check_error(
      [] {
        one_hot(tensor<int64_t>({0, 3}), 3);
      },
      "one_hot: index 3 at position 1 is outside [0, 3)");
  check_error([] { one_hot(tensor<int64_t>({-1}), 3); }, "one_hot: index -1");
  check_error([] { one_hot(zeros({2}), 3); }, "one_hot: indices must be int64, got float32");
  check_error([] { one_hot(zeros({2}, DType::int64), 0); }, "one_hot: needs at least one class, got 0");
}
