#include <algorithm>

#include "support/check_op.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/shape_ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

Tensor values(const Shape& shape) { return randn(shape, 3, DType::float64); }

/// A tensor of `shape` whose element at an index is that of x at source(index).
Tensor slow_view(const Tensor& x, const Shape& shape, const std::function<Extents(const Extents&)>& source) {
  const Tensor y = empty(shape, DType::float64);
  int64_t i = 0;
  for_each_index(shape, [&](const Extents& index) { y.data<double>()[i++] = element(x, source(index)); });
  return y;
}

void check_view(const Shape& shape, const Function& op, const Function& reference) {
  check_op({.op = op,
            .reference = reference,
            .inputs = {{values(shape)}},
            .value_tolerance = 0,
            .second_tolerance = 1e-6});
}

}  // namespace

TEST_CASE("views: reshape and flatten keep the order") {
  const auto pairs = std::vector<std::pair<Shape, Shape>>{
      {{6}, {2, 3}},        {{2, 3}, {6}}, {{2, 3, 4}, {4, 6}},  {{2, 3, 4}, {-1}},
      {{2, 3, 4}, {2, -1}}, {{}, {1, 1}},  {{1, 1}, {}},         {{0, 3}, {3, 0, 2}},
      {{4, 1, 3}, {3, -1}}, {{5}, {5}},    {{2, 3}, {-1, 2, 1}}, {{1, 2, 3, 1, 2}, {12}}};
  for (const auto& [from, to] : pairs) {
    const Shape target = to;
    check_op({.op = [=](const Tensor& x) { return reshape(x, target); },
              .inputs = {{values(from)}},
              .second_tolerance = 1e-6});
    const Tensor x = values(from), y = reshape(as_strided(x), target);
    const Tensor flat = y.contiguous();
    CHECK(std::equal(x.span<double>().begin(), x.span<double>().end(), flat.span<double>().begin()));
  }
  CHECK(flatten(values({2, 3, 4}), 1).shape() == Shape{2, 12});
  CHECK(flatten(values({}), 0).shape() == Shape{1});
  CHECK(flatten(values({2, 0, 4})).shape() == Shape{0});
  check_error([] { reshape(zeros({2, 3}), {4}); }, "reshape: (2, 3) has 6 elements, (4) has 4");
  check_error([] { reshape(zeros({2, 3}), {4, -1}); }, "not divisible by 4");
  check_error([] { reshape(zeros({2, 3}), {-1, -1}); }, "one -1");
  check_error([] { reshape(zeros({0}), {-1, 0}); }, "the -1 is not determined");
}

TEST_CASE("views: permute and transpose") {
  check_view(
      {2, 3, 4},
      [](const Tensor& x) {
        return permute(x, {2, 0, 1});
      },
      [](const Tensor& x) {
        return slow_view(x, {4, 2, 3}, [](const Extents& i) { return Extents{i[1], i[2], i[0]}; });
      });
  check_view(
      {2, 3, 0},
      [](const Tensor& x) {
        return permute(x, {-1, 0, 1});
      },
      [](const Tensor& x) {
        return slow_view(x, {0, 2, 3}, [](const Extents& i) { return i; });
      });
  check_view(
      {2, 3}, [](const Tensor& x) { return transpose(x); },
      [](const Tensor& x) {
        return slow_view(x, {3, 2}, [](const Extents& i) { return Extents{i[1], i[0]}; });
      });
  check_view(
      {2, 3, 4}, [](const Tensor& x) { return transpose(x, 0, 2); },
      [](const Tensor& x) {
        return slow_view(x, {4, 3, 2}, [](const Extents& i) { return Extents{i[2], i[1], i[0]}; });
      });
  check_error([] { permute(zeros({2, 3}), {0, 0}); }, "permute: axis 0 appears twice");
  check_error([] { permute(zeros({2, 3}), {0}); }, "permute: 1 axes for shape (2, 3)");
  check_error([] { transpose(zeros({2})); }, "transpose: axis -2 is outside");
}

TEST_CASE("views: slice by Python's rules") {
  // Expected indices from Python's range(n)[slice(start, stop, step)] with n = 7.
  struct Row {
    Slice range;
    std::vector<int64_t> expected;
  };
  const Row rows[] = {{{}, {0, 1, 2, 3, 4, 5, 6}},
                      {{.start = 2}, {2, 3, 4, 5, 6}},
                      {{.start = 1, .stop = 6, .step = 2}, {1, 3, 5}},
                      {{.start = 1, .stop = 5, .step = 2}, {1, 3}},
                      {{.start = -2}, {5, 6}},
                      {{.start = 0, .stop = -3}, {0, 1, 2, 3}},
                      {{.start = 5, .stop = 2}, {}},
                      {{.start = 9}, {}},
                      {{.start = -99, .stop = 99, .step = 3}, {0, 3, 6}},
                      {{.start = -1, .step = -1}, {6, 5, 4, 3, 2, 1, 0}},
                      {{.start = 5, .stop = 1, .step = -2}, {5, 3}},
                      {{.start = 99, .stop = -99, .step = -4}, {6, 2}},
                      {{.start = 2, .stop = 5, .step = -1}, {}}};
  for (const Row& row : rows)
    for (int axis = 0; axis < 2; ++axis) {
      INFO("start " << row.range.start << " step " << row.range.step << " axis " << axis);
      Shape shape = axis == 0 ? Shape{7, 3} : Shape{3, 7}, expected = shape;
      expected[axis] = int64_t(row.expected.size());
      check_view(
          shape, [&](const Tensor& x) { return slice(x, axis, row.range); },
          [&](const Tensor& x) {
            return slow_view(x, expected, [&](const Extents& i) {
              Extents from = i;
              from[axis] = row.expected[size_t(i[axis])];
              return from;
            });
          });
    }
  CHECK(slice(zeros({0, 2}), 0, {.start = 1}).shape() == Shape{0, 2});
  check_error([] { slice(zeros({3}), 0, {.step = 0}); }, "slice: the step must not be 0");
  check_error([] { slice(zeros({}), 0, {}); }, "slice: axis 0 is outside");
}

TEST_CASE("views: select, squeeze, unsqueeze, expand") {
  check_view(
      {4, 3}, [](const Tensor& x) { return select(x, 0, -1); },
      [](const Tensor& x) { return slow_view(x, {3}, [](const Extents& i) {
                              return Extents{3, i[0]};
                            }); });
  check_view(
      {4, 3}, [](const Tensor& x) { return select(x, 1, 2); },
      [](const Tensor& x) { return slow_view(x, {4}, [](const Extents& i) {
                              return Extents{i[0], 2};
                            }); });
  check_view(
      {5}, [](const Tensor& x) { return x[1]; },
      [](const Tensor& x) { return slow_view(x, {}, [](const Extents&) { return Extents{1}; }); });
  check_view(
      {4, 1, 3}, [](const Tensor& x) { return squeeze(x, -2); },
      [](const Tensor& x) {
        return slow_view(x, {4, 3}, [](const Extents& i) { return Extents{i[0], 0, i[1]}; });
      });
  check_view(
      {4, 3}, [](const Tensor& x) { return unsqueeze(x, -1); },
      [](const Tensor& x) {
        return slow_view(x, {4, 3, 1}, [](const Extents& i) { return Extents{i[0], i[1]}; });
      });
  check_view(
      {3, 1},
      [](const Tensor& x) {
        return expand(x, {2, 3, 4});
      },
      [](const Tensor& x) {
        return slow_view(x, {2, 3, 4}, [](const Extents& i) { return Extents{i[1], 0}; });
      });
  check_view(
      {},
      [](const Tensor& x) {
        return expand(x, {2, 2});
      },
      [](const Tensor& x) {
        return slow_view(x, {2, 2}, [](const Extents&) { return Extents{}; });
      });
  check_view(
      {1, 3},
      [](const Tensor& x) {
        return expand(x, {0, 3});
      },
      [](const Tensor&) {
        return zeros({0, 3}, DType::float64);
      });
  check_error(
      [] {
        select(zeros({2, 3}), 1, 3);
      },
      "select: index 3 is outside [-3, 3) of axis 1 of shape (2, 3)");
  check_error([] { squeeze(zeros({2, 3}), 1); }, "squeeze: axis 1 of shape (2, 3) has extent 3, expected 1");
  check_error([] { unsqueeze(zeros({2, 3}), 3); }, "unsqueeze: axis 3 is outside [-3, 3)");
  check_error([] { expand(zeros({2, 3}), {2, 4}); }, "expand: shape (2, 3) does not broadcast to (2, 4)");
  check_error([] { expand(zeros({2, 3}), {3}); }, "which has fewer axes");
}

TEST_CASE("views: they share memory") {
  const Tensor x = zeros({2, 3});
  for (const Tensor& view : {x.reshape({6}), x.transpose(), x.slice(1, {.start = 1}), x.select(0, 1),
                             x.expand({4, 2, 3}), x.unsqueeze(0), x.unsqueeze(0).squeeze(0)})
    CHECK(view.storage() == x.storage());
  x.transpose().select(0, 2).fill_(7);
  check_close(x, tensor<float>({0, 0, 7, 0, 0, 7}, Shape{2, 3}), 0);
}
