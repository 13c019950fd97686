// What a caller can get wrong with shapes, indices and values: a typed Error that says so, or the right
// answer.
#include <cmath>
#include <utility>

#include "support/check_op.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("bad input: shapes that no memory holds, and empty ones") {
  check_error([] { empty({-1}); }, "negative extent");
  check_error([] { empty({INT64_MAX, 2}); }, "more elements than memory can address");
  check_error([] { empty({int64_t(1) << 31, int64_t(1) << 31}); }, "more elements than memory can address");
  check_error([] { zeros({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0); }, "at most 8 axes");
  check_error([] { Shape::filled(65, 1); }, "at most 8 axes");
  check_error([] { ones({2}).expand({INT64_MAX, 2}); }, "more elements than memory can address");
  for (const Shape& shape :
       {Shape{0}, Shape{3, 0, 2}, Shape{0, INT64_MAX, INT64_MAX}, Shape{INT64_MAX, 4, 0}}) {
    const Tensor x = zeros(shape);
    CHECK(x.size() == 0);
    CHECK(sum(x).item() == 0);
    CHECK(x.flatten().shape() == Shape{0});
    CHECK(relu(x).shape() == shape);
  }
  CHECK(sum(full({}, 3)).item() == 3);
}

TEST_CASE("bad input: shapes that do not meet are both named") {
  check_error([] { matmul(zeros({2, 3}), zeros({4, 5})); }, "a(2, 3) has 3 columns and b(4, 5) has 4 rows");
  check_error([] { matmul(zeros({2, 3}), zeros({2, 3})); }, "did you mean b.transpose()?");
  check_error([] { zeros({3}) + zeros({4}); }, "shapes (3) and (4) do not broadcast");
  check_error([] { concat({}); }, "concat: needs at least one tensor");
  check_error(
      [] {
        concat({zeros({2, 3}), zeros({2, 4})}, 0);
      },
      "concat: got float32(2, 4) after float32(2, 3)");
}

TEST_CASE("bad input: indices at and beyond every end") {
  const Tensor x = arange(0, 5);
  for (const int64_t bad : {int64_t(5), int64_t(6), int64_t(-6), INT64_MIN, INT64_MAX}) {
    INFO(bad);
    check_error([&] { x.select(0, bad); }, "is outside [-5, 5)");
    check_error([&] { x.at({bad}); }, "is outside");
    check_error([&] { gather(x, tensor<int64_t>({0, bad})); }, "at position 1 is outside [-5, 5)");
    check_error([&] { one_hot(tensor<int64_t>({bad}), 5); }, "at position 0 is outside [0, 5)");
    check_error([&] { x.size(bad); }, "is outside [-1, 1)");
    check_error([&] { sum(x, bad); }, "is outside [-1, 1)");
  }
  CHECK(x.select(0, -1).item() == 4);
  CHECK(gather(x, zeros({0}, DType::int64)).shape() == Shape{0});
  check_error([&] { x.slice(0, {.step = 0}); }, "slice: the step must not be 0");
  check_error([&] { x.slice(0, {.step = INT64_MIN}); }, "slice: the step must not be");
  check_close(x.slice(0, {.start = INT64_MIN, .stop = INT64_MAX}), x, 0);
  check_close(x.reshape({5, 1}).expand({5, 2}).slice(0, {.start = 3, .step = INT64_MAX}), full({1, 2}, 3), 0);
  CHECK(x.slice(0, {.start = INT64_MAX}).empty());
}

TEST_CASE("bad input: memory that is shared, moved away or left behind") {
  Tensor x = arange(0, 6);
  x.slice(0, {.start = 1})
      .copy_(x.slice(0, {.stop = 5}));  // overlapping: all is read before anything is written
  check_close(x, tensor<int64_t>({0, 0, 1, 2, 3, 4}), 0);
  Tensor window = x.reshape({2, 3}).select(1, 2);
  const Tensor taken = std::move(x);
  check_error([&] { x.size(); }, "default-made or moved from");  // NOLINT: that is the question
  CHECK(taken.size() == 6);
  {
    const Tensor base = ones({3, 3});
    window = base.transpose().slice(0, {.start = 1});
  }
  check_close(window, ones({2, 3}), 0);  // a view keeps its base's memory
  const Tensor self = parameter(ones({2}));
  (self + self).sum().backward();
  check_close(self.grad(), full({2}, 2), 0);
}

TEST_CASE("bad input: values outside a function's domain give what IEEE 754 says, on every instruction set") {
  for_each_isa([](const std::string& isa) {
    INFO(isa);
    for (const DType dtype : {DType::float32, DType::float64}) {
      const auto at = [&](double value) { return full({40}, value, dtype); };
      const auto value = [](const Tensor& y) { return y.at({39}); };
      CHECK(value(log(at(0))) == -INFINITY);
      CHECK(std::isnan(value(log(at(-1)))));
      CHECK(std::isnan(value(sqrt(at(-1)))));
      CHECK(std::isnan(value(at(0) / at(0))));
      CHECK(value(at(-1) / at(0)) == -INFINITY);
      CHECK(value(exp(at(1000))) == INFINITY);
      CHECK(value(exp(at(-1000))) == 0);
      CHECK(value(softplus(at(1000))) == 1000);
      CHECK(value(sigmoid(at(-1000))) == 0);
      CHECK(value(tanh(at(1000))) == 1);
      CHECK(std::isnan(value(relu(at(NAN)))));
      CHECK(std::signbit(value(at(-0.0) * at(1))));
    }
  });
}
