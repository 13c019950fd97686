#include <cmath>
#include <limits>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/elementwise.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const double kInf = std::numeric_limits<double>::infinity();
const DType kTypes[] = {DType::float32, DType::float64, DType::int64,   DType::int32,
                        DType::uint8,   DType::boolean, DType::bfloat16};

/// What a conversion promises, written without it.
double converted(double value, DType to) {
  const auto saturate = [&](double low, double high) {
    return std::isnan(value) ? 0.0 : std::trunc(std::min(std::max(value, low), high));
  };
  switch (to) {
    case DType::float32:
      return double(float(value));
    case DType::float64:
      return value;
    case DType::int64:
      return saturate(-0x1p63, 0x1p63);
    case DType::int32:
      return saturate(-2147483648.0, 2147483647.0);
    case DType::uint8:
      return saturate(0, 255);
    case DType::boolean:
      return value != 0;
    case DType::bfloat16:
      return double(float(bfloat16(float(value))));
  }
  return 0;
}

}  // namespace

TEST_CASE("copy: every type to every type") {
  const Tensor source = tensor<double>({0, 1, 2.75, 100, 3, 42}, Shape{2, 3});
  for (DType from : kTypes)
    for (DType to : kTypes) {
      INFO(join(from, " to ", to));
      const Tensor x = source.to(from), y = x.to(to);
      CHECK(y.dtype() == to);
      check_close(y, slow_map(x, [&](double v) { return converted(v, to); }), 0);
      check_close(as_strided(x).to(to), y, 0);
    }
  CHECK(source.to(DType::float64).storage() == source.storage());
}

TEST_CASE("copy: floats outside an integer's range saturate, NaN becomes 0") {
  const Tensor x = tensor<double>({-kInf, -1e30, -0.9, -1.5, 1e30, kInf, std::nan(""), 255.9, 256});
  for (DType from : {DType::float64, DType::float32})
    for (DType to : {DType::int64, DType::int32, DType::uint8, DType::boolean}) {
      INFO(join(from, " to ", to));
      check_close(x.to(from).to(to), slow_map(x.to(from), [&](double v) { return converted(v, to); }), 0);
    }
}

TEST_CASE("copy: clone and contiguous, any layout, differentiable") {
  std::vector<Tensors> inputs;
  for (const Shape& shape :
       {Shape{}, Shape{1}, Shape{0}, Shape{7}, Shape{3, 5}, Shape{4, 0, 2}, Shape{2, 3, 4}, Shape{70, 65},
        Shape{2, 1, 3, 2}, Shape{2, 65, 3, 2}, Shape{1, 2, 3, 1, 2}, Shape{9, 1}})
    inputs.push_back({randn(shape, inputs.size() + 1, DType::float64)});
  const auto same = [](const Tensor& x) { return slow_map(x, [](double v) { return v; }); };
  check_op({.op = [](const Tensor& x) { return x.clone(); },
            .reference = same,
            .inputs = inputs,
            .value_tolerance = 0,
            .second_tolerance = 1e-6});
  check_op(
      {.op =
           [](const Tensor& x) { return x.rank() < 2 ? x.clone() : x.transpose().contiguous().transpose(); },
       .reference = same,
       .inputs = inputs,
       .value_tolerance = 0});
  const Tensor x = zeros({2, 3});
  CHECK(x.clone().storage() != x.storage());
  CHECK(x.contiguous().storage() == x.storage());
  CHECK(x.transpose().contiguous().is_contiguous());
}

TEST_CASE("copy: gradients pass between float types and come back in the source's type") {
  const Tensor x = parameter(tensor<float>({1, 2}));
  (x.to(DType::float64) * 3.0).sum().backward();
  CHECK(x.grad().dtype() == DType::float32);
  check_close(x.grad(), tensor<float>({3, 3}), 0);
  CHECK_FALSE(x.to(DType::int64).requires_grad());
}

TEST_CASE("copy_: in place, broadcast, converted, into views") {
  const Tensor x = zeros({2, 3});
  x.copy_(tensor<int64_t>({1, 2, 3}));
  check_close(x, tensor<float>({1, 2, 3, 1, 2, 3}, Shape{2, 3}), 0);
  x.transpose().slice(0, {.start = 1}).copy_(tensor<double>({8, 9}));
  check_close(x, tensor<float>({1, 8, 8, 1, 9, 9}, Shape{2, 3}), 0);
  // Overlapping windows: all is read before anything is written.
  const Tensor y = tensor<float>({1, 2, 3, 4, 5});
  y.slice(0, {.start = 1}).copy_(y.slice(0, {.stop = 4}));
  check_close(y, tensor<float>({1, 1, 2, 3, 4}), 0);
  y.slice(0, {.start = -1, .step = -1}).copy_(y);
  check_close(y, tensor<float>({4, 3, 2, 1, 1}), 0);
  check_error([&] { x.copy_(zeros({4})); }, "copy_: shape (4) does not broadcast to (2, 3)");
  check_error([&] { x.copy_(Tensor()); }, "copy_: input 1 is an undefined tensor");
}

TEST_CASE("fill_: in place, counted as a change") {
  const Tensor x = zeros({3, 4}, DType::int32);
  const uint64_t before = x.version();
  x.slice(1, {.start = 1, .step = 2}).fill_(5);
  CHECK(x.version() > before);
  check_close(x, tensor<int32_t>({0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5}, Shape{3, 4}), 0);
  zeros({0}).fill_(1);
}
