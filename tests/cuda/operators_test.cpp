// What check_op() does not ask of a GPU: types that are not differentiated, ties, NaN and infinity, memory
// that overlaps, sizes of more than one block. Each answer is the CPU's.

#include <cmath>
#include <limits>

#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/cuda.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNaN = std::numeric_limits<double>::quiet_NaN();
const DType kNumbers[] = {DType::float32, DType::float64, DType::int64, DType::int32, DType::uint8};
const DType kFloats[] = {DType::float32, DType::float64};

/// f gives on every GPU what it gives on the CPU; of equal dtype and shape.
void check_same(const Function& f, const Tensors& inputs, double tolerance = 0) {
  const Tensor expected = f(inputs);
  for_each_gpu([&](Device gpu) {
    Tensors there, strided;
    for (const Tensor& x : inputs) {
      there.push_back(x.to(gpu));
      strided.push_back(as_strided(there.back()));
    }
    for (const Tensors& operands : {there, strided}) {
      const Tensor actual = f(operands);
      CHECK(actual.device() == gpu);
      CHECK(actual.dtype() == expected.dtype());
      check_close(actual, expected, tolerance);
    }
  });
}

/// The gradient of f's only input for a dy of 1, 2, 3 ...
Function gradient_of(const Function& f) {
  return [f](const Tensors& in) {
    const Tensor x = parameter(in[0]), y = f({x});
    y.backward(arange(1, 1 + double(y.size()), 1, y.dtype()).reshape(y.shape()).to(y.device()));
    return x.grad();
  };
}

/// Whole numbers in [0, 7], so that each comes often.
Tensor few(const Shape& shape, uint64_t seed, DType dtype) {
  return rand(shape, seed, 0, 8).to(DType::int64).to(dtype);
}

}  // namespace

TEST_CASE("on a GPU: copies between all types, into views, over themselves") {
  const Tensor x = tensor<double>({0, 1, 2.75, 100, 3, 42, -1e30, kInf, kNaN, 255.9, -0.9, 256}, Shape{3, 4});
  const DType types[] = {DType::float32, DType::float64, DType::int64,   DType::int32,
                         DType::uint8,   DType::boolean, DType::bfloat16};
  for (DType from : types)
    for (DType to : types) {
      INFO(from << " to " << to);
      check_same([&](const Tensor& t) { return t.to(to); }, {x.to(from)});
      check_same(
          [&](const Tensor& t) {
            const Tensor y = full({4, 3, 2}, 1, to, t.device());
            y.slice(1, {.start = -1, .step = -1}).copy_(t.transpose().unsqueeze(2));
            y.slice(0, {.start = 1, .step = 2}).slice(2, {.start = 1}).fill_(2.5);
            return y;
          },
          {x.to(from)});
    }
  check_same(
      [](const Tensor& t) {
        const Tensor y = t.clone();
        y.slice(0, {.start = 1}).copy_(y.slice(0, {.stop = 4}));
        y.slice(0, {.start = -1, .step = -1}).copy_(y);
        return y;
      },
      {randn({5}, 1)});
  check_same([](const Tensor& t) { return concat({t, t.transpose(0, 1)}, 2); }, {randn({3, 3, 4}, 1)});
  check_same([](const Tensor& t) { return pad(t, {{1, 0}, {2, 3}}, 7); }, {few({3, 4}, 1, DType::int32)});
}

TEST_CASE("on a GPU: arithmetic, comparisons and choices of all types") {
  using Two = Tensor (*)(const Tensor&, const Tensor&);
  for (DType type : kNumbers) {
    INFO(type);
    const Tensors pair{few({40, 1, 9}, 1, type), few({30, 9}, 2, type) + 1};
    for (Two f : {Two(add), Two(subtract), Two(multiply), Two(divide), Two(minimum), Two(maximum), Two(equal),
                  Two(not_equal), Two(less), Two(less_equal), Two(greater), Two(greater_equal)})
      check_same([=](const Tensor& a, const Tensor& b) { return f(a, b); }, pair);
    check_same([](const Tensor& a, const Tensor& b) { return where(a < b, a, b); }, pair);
    check_same([](const Tensor& a) { return a * 3 - 1; }, {pair[0]});
  }
  const Tensors masks{few({40, 1, 9}, 1, DType::int64) < few({}, 2, DType::int64) + 3,
                      few({30, 9}, 3, DType::int64) < few({}, 2, DType::int64) + 3};
  for (Two f : {Two(logical_and), Two(logical_or), Two(logical_xor), Two(equal), Two(less)})
    check_same([=](const Tensor& a, const Tensor& b) { return f(a, b); }, masks);
  check_same([](const Tensor& a) { return logical_not(a); }, {masks[0]});
  check_same([](const Tensor& a, const Tensor& b) { return where(a, a, b); }, masks);
}

TEST_CASE("on a GPU: sums and extremes of all types, ties and NaN") {
  for (DType type :
       {DType::float32, DType::float64, DType::int64, DType::int32, DType::uint8, DType::boolean})
    for (const Shape& shape :
         {Shape{1}, Shape{31}, Shape{33, 3}, Shape{3, 40}, Shape{2, 9000, 2}, Shape{3, 20000}})
      for (int axis = 0; axis < shape.rank(); ++axis) {
        INFO(type << shape << " axis " << axis);
        const Tensor x = few(shape, 1, DType::int64).to(type);
        check_same([=](const Tensor& t) { return sum(t, axis); }, {x});
        check_same([=](const Tensor& t) { return max(t, axis); }, {x});
        check_same([=](const Tensor& t) { return min(t, axis, keep_dims); }, {x});
        check_same([=](const Tensor& t) { return argmax(t, axis); }, {x});
      }
  for (DType type : kFloats) {
    const Tensor x =
        tensor<double>({1, kNaN, 5, kNaN, -kInf, -kInf, kInf, kInf, 3, 3, 2, 3}, Shape{3, 4}).to(type);
    for (int axis : {0, 1}) {
      check_same([=](const Tensor& t) { return max(t, axis); }, {x});
      check_same([=](const Tensor& t) { return min(t, axis); }, {x});
      check_same([=](const Tensor& t) { return argmax(t, axis); }, {x});
      check_same(gradient_of([=](const Tensor& t) { return max(t, axis); }), {few({50, 70}, 2, type)});
    }
  }
  check_same([](const Tensor& t) { return t.sum(); }, {full({40000}, 200000, DType::int32)});
}

TEST_CASE("on a GPU: gather and one_hot of all types, many gradients to one place") {
  const Tensor indices = tensor<int64_t>({3, -4, 0, 3, -1});
  for (DType type :
       {DType::float32, DType::float64, DType::int64, DType::int32, DType::uint8, DType::boolean}) {
    INFO(type);
    for (int axis : {0, 1, 2})
      check_same([=](const Tensor& x, const Tensor& i) { return gather(x, i, axis); },
                 {few({4, 5, 6}, 1, type), indices});
    check_same([=](const Tensor& i) { return one_hot(i, 5, type); },
               {few({3, 4}, 2, DType::int64) / tensor<int64_t>({2})});
  }
  const Tensor many = few({5000}, 3, DType::int64);
  check_same(gradient_of([&](const Tensor& x) { return gather(x, many.to(x.device())); }),
             {randn({8, 3}, 1, DType::float64)});
}

TEST_CASE("on a GPU: gradients of several uses and calls add") {
  for (DType type : kFloats) {
    check_same(gradient_of([](const Tensor& x) { return x * x + x * 3 + x; }), {few({30, 7}, 1, type)});
    for_each_device([&](Device device) {
      const Tensor x = parameter(ones({700}, type, device));
      for (int call = 0; call < 3; ++call) sum(x * 2).backward();
      check_close(x.grad(), full({700}, 6), 0);
    });
  }
}

TEST_CASE("on a GPU: functions at the ends of their domains") {
  using One = Tensor (*)(const Tensor&);
  const Tensor x = tensor<double>(
      {0, -0.0, 1, -1, 1e-30, -1e-30, 100, -100, 1e30, -1e30, kInf, -kInf, kNaN, 88.7, -88.7, 20, -20});
  for (DType type : kFloats) {
    INFO(type);
    const double tolerance = type == DType::float32 ? 1e-6 : 1e-14;
    for (One f : {One(exp), One(log), One(sqrt), One(abs), One(sign), One(square), One(reciprocal), One(relu),
                  One(gelu), One(silu), One(sigmoid), One(tanh), One(softplus)}) {
      check_same([=](const Tensor& t) { return f(t); }, {x.to(type)}, tolerance);
      check_same(gradient_of([=](const Tensor& t) { return f(t); }), {x.to(type)}, tolerance);
    }
    check_same([](const Tensor& t) { return clip(t, -2, 3); }, {x.to(type)});
    check_same([](const Tensor& t) { return elu(t); }, {x.to(type)}, tolerance);
    check_same([](const Tensor& t) { return leaky_relu(t); }, {x.to(type)}, tolerance);
    check_same([](const Tensor& t) { return pow(abs(t), 0.5); }, {x.to(type)}, tolerance);
    check_same([](const Tensor& t) { return sin(t) + cos(t); }, {x.to(type).slice(0, {.stop = 8})},
               tolerance);
  }
}

TEST_CASE("on a GPU: softmax and cross-entropy where the mathematics is finite, and where not") {
  const Tensor rows = tensor<double>(
      {0, -kInf, 0, 1e30, -1e30, 0, 1000, 1000, 999, -kInf, -kInf, -kInf, 0, kNaN, 1}, Shape{5, 3});
  for (DType type : kFloats) {
    INFO(type);
    check_same([](const Tensor& t) { return softmax(t); }, {rows.to(type)}, 1e-6);
    check_same([](const Tensor& t) { return log_softmax(t, 0); }, {rows.to(type)}, 1e-6);
    const auto loss = [](const Tensor& t) {
      return cross_entropy(t, tensor<int64_t>({0, 1}).to(t.device()));
    };
    for (int64_t row = 0; row < 4; ++row) {
      check_same(loss, {rows.slice(0, {row, row + 2}).to(type)}, 1e-6);
      check_same(gradient_of(loss), {rows.slice(0, {row, row + 2}).to(type)}, 1e-6);
    }
    check_same([](const Tensor& t) { return log_softmax(t); }, {randn({3, 5000}, 1).to(type)}, 1e-5);
  }
}

TEST_CASE("on a GPU: the first of equal winners of a pool takes the gradient, NaN wins, padding never does") {
  for (DType type : kFloats)
    for (const PoolOptions& options : {PoolOptions{}, PoolOptions{.kernel = 3, .stride = 2, .padding = 1},
                                       PoolOptions{.kernel = 3, .stride = 1}}) {
      const auto pool = [=](const Tensor& t) { return max_pool2d(t, options); };
      const Tensor holes = where(few({2, 3, 9, 11}, 2, type) < full({}, 1, type), full({}, kNaN, type),
                                 few({2, 3, 9, 11}, 1, type));
      for (const Tensor& x : {few({2, 3, 9, 11}, 1, type) - 20, holes, full({1, 1, 5, 5}, -kInf, type)}) {
        check_same(pool, {x});
        check_same(gradient_of(pool), {x});
      }
    }
}

TEST_CASE("on a GPU: batch norm of one value, of equal values and of far means") {
  const auto norm = [](const Tensor& t) { return batch_norm(t, {}, {}).y; };
  for (DType type : kFloats) {
    const double tolerance = type == DType::float32 ? 1e-4 : 1e-9;
    for (const Tensor& x :
         {randn({1, 2}, 1, type), full({4, 3, 5}, 7, type), randn({600, 2, 3}, 1, type) + 100}) {
      check_same(norm, {x}, tolerance);
      // dy goes up to the size of x; where the mean is far the CPU's float mean shows in the gradient.
      check_same([&](const Tensors& in) { return gradient_of(norm)(in) / double(x.size()); }, {x}, tolerance);
    }
  }
}

TEST_CASE("on a GPU: bfloat16 factors are rounded as on the CPU") {
  const Tensor a = tensor<float>({1, 1.00390625f, 1.01171875f, float(kInf), float(kNaN), -3.3e38f, 1e-30f, 0},
                                 Shape{8, 1});
  for (const Tensor& x : {a, randn({33, 70}, 1)})
    check_same(
        [](const Tensor& t) {
          return matmul(t, ones({t.size(1), 1}, t.dtype(), t.device()), Precision::bf16);
        },
        {x}, 1e-5);
}

TEST_CASE("on a GPU: float16 factors are rounded as on the CPU") {
  const Tensor a = tensor<float>({1.00048828125f, 1.00146484375f, 65504, 65520, -7e4f, float(kInf),
                                  float(kNaN), 0x1p-24f, 0x1.8p-24f, 0x1p-25f, 0x1.ffep-15f, 0},
                                 Shape{12, 1});
  for (const Tensor& x : {a, randn({33, 70}, 1), randn({33, 70}, 2) * 1e-6})
    check_same(
        [](const Tensor& t) {
          return matmul(t, ones({t.size(1), 1}, t.dtype(), t.device()), Precision::fp16);
        },
        {x}, 1e-5);
}

TEST_CASE("on a GPU: dropout draws the bits of the CPU") {
  const Tensor state = tensor<int64_t>({-3, int64_t(1) << 50, int64_t(1) << 35}),
               samples = tensor<int64_t>({int64_t(0xab) << 32 | 5, -1, 7});
  for (DType type : kFloats)
    for (int64_t columns : {1, 63, 300, 5000}) {
      const Tensor x = randn({3, columns}, 1, type), expected = dropout(x, 0.3, {state, samples});
      for_each_gpu([&](Device gpu) {
        CHECK(
            same_bits(dropout(x.to(gpu), 0.3, {state.to(gpu), samples.to(gpu)}).to(Device::cpu()), expected));
      });
    }
}

TEST_CASE("on a GPU: wrong labels and indices are an Error when the host next waits") {
  for_each_gpu([](Device gpu) {
    const auto there = [&](std::initializer_list<int64_t> values) { return tensor<int64_t>(values).to(gpu); };
    const Tensor hot = one_hot(there({0, 3}), 3);
    check_error([&] { cuda::synchronize(gpu); }, "one_hot: index 3 at position 1 is outside [0, 3)");
    const Tensor x = parameter(randn({3, 2}, 1).to(gpu));
    const auto gradient = [&] {
      nll_loss(x, there({0, -1, 1})).backward();
      x.grad().to(Device::cpu());
    };
    check_error(gradient, "one_hot: index -1 at position 1");
    // Many at once: one of them is reported, whole.
    const Tensor loss =
        cross_entropy(zeros({5000, 3}, DType::float32, gpu), full({5000}, 9, DType::int64, gpu));
    check_error([&] { loss.item(); }, "label 9 at index");
    cuda::synchronize(gpu);
  });
}
