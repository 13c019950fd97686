#include "layer_check.h"
#include "slow_layers.h"
#include "support/errors.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

Tensor values(const Shape& shape, uint64_t seed) { return randn(shape, seed, DType::float64); }

/// The definition for any ranks: vectors become matrices for a while, leading axes are broadcast by copying.
Tensor slow_matmul(const Tensor& a, const Tensor& b) {
  const bool row = a.rank() == 1, column = b.rank() == 1;
  const Tensor left = row ? a.unsqueeze(0) : a, right = column ? b.unsqueeze(1) : b;
  const auto leading = [](const Tensor& x) {
    return Shape(std::span(x.shape().begin(), size_t(x.rank() - 2)));
  };
  const Shape lead = broadcast_shape(leading(left), leading(right), "slow_matmul");
  const auto matrices = [&](const Tensor& x) {
    Shape shape = lead;
    shape.push_back(x.size(-2));
    shape.push_back(x.size(-1));
    return x.expand(shape).clone().reshape({count(lead), x.size(-2), x.size(-1)});
  };
  Shape shape = lead;
  if (!row) shape.push_back(left.size(-2));
  if (!column) shape.push_back(right.size(-1));
  return slow::matmul(matrices(left), matrices(right)).reshape(shape);
}

struct Pair {
  Shape a, b;
};

// Vectors on either side, one place, nothing in any extent, more than a tile and less, batches and
// broadcasts.
const std::vector<Pair> kPairs = {
    {{1, 1}, {1, 1}},
    {{2, 3}, {3, 4}},
    {{3}, {3}},
    {{4}, {4, 2}},
    {{2, 5}, {5}},
    {{0, 3}, {3, 2}},
    {{2, 0}, {0, 3}},
    {{2, 3}, {3, 0}},
    {{17, 33}, {33, 19}},
    {{65, 130}, {130, 67}},
    {{1, 300}, {300, 1}},
    {{130, 1}, {1, 70}},
    {{5, 2, 3}, {5, 3, 4}},
    {{5, 2, 3}, {3, 4}},
    {{2, 3}, {4, 3, 2}},
    {{2, 1, 3, 4}, {5, 4, 2}},
    {{1, 3, 2}, {6, 2, 3}},
    {{2, 3, 4, 5}, {2, 3, 5, 1}},
    {{0, 2, 3}, {3, 4}},
    {{3, 2, 4}, {4}},
    {{4}, {3, 4, 2}},
    {{2, 0, 3, 2}, {2, 1}},
};

}  // namespace

TEST_CASE("matmul: values and gradients") {
  for (const Pair& p : kPairs) {
    INFO("a " << p.a << " b " << p.b);
    check_layer({.layer = [](const Tensors& in) { return matmul(in[0], in[1]); },
                 .reference = [](const Tensors& in) { return slow_matmul(in[0], in[1]); },
                 .inputs = {values(p.a, 1), values(p.b, 2)}});
  }
}

TEST_CASE("matmul: transposed operands are read in place") {
  const Tensor a = values({7, 5}, 1), b = values({9, 7}, 2);
  const Tensor expected = slow_matmul(a.transpose().clone(), b.transpose().clone());
  check_close(matmul(a.transpose(), b.transpose()), expected, 1e-13);
  const Tensor big = values({20, 30}, 3);
  const Tensor part = big.slice(0, {1, 19, 3}).slice(1, {2, 30, 4});
  check_close(matmul(part, part.transpose()), slow_matmul(part.clone(), part.transpose().clone()), 1e-13);
}

TEST_CASE("matmul: long sums keep float32 accuracy") {
  const Tensor a = randn({3, 20000}, 1), b = randn({20000, 4}, 2);
  const Tensor exact = slow_matmul(a.to(DType::float64), b.to(DType::float64));
  check_close(matmul(a, b) / 200.0, exact / 200.0, 1e-5);  // sums of deviation 141
}

TEST_CASE("matmul and linear: second derivatives") {
  const auto product = [](const Tensors& in) { return square(matmul(in[0], in[1])); };
  CHECK(second_gradient_gap(product, {values({3, 4}, 1), values({4, 2}, 2)}) < 1e-6);
  const auto dense = [](const Tensors& in) { return square(linear(in[0], in[1], in[2])); };
  CHECK(second_gradient_gap(dense, {values({3, 4}, 1), values({2, 4}, 2), values({2}, 3)}) < 1e-6);
}

TEST_CASE("linear: values and gradients") {
  struct Case {
    Shape x;
    int64_t out;
    bool bias;
  };
  for (const Case& c : std::vector<Case>{{{1, 1}, 1, true},
                                         {{3, 4}, 5, true},
                                         {{3, 4}, 5, false},
                                         {{6}, 2, true},
                                         {{2, 3, 4}, 3, true},
                                         {{2, 1, 3, 2}, 4, false},
                                         {{0, 4}, 3, true},
                                         {{5, 1}, 7, true},
                                         {{64, 100}, 33, true},
                                         {{1, 257}, 10, true},
                                         {{130, 17}, 1, true},
                                         {{2, 0, 3}, 2, true},
                                         {{4, 3}, 0, true}}) {
    INFO("x " << c.x << " out " << c.out << " bias " << c.bias);
    const int64_t in_features = c.x.back();
    Tensors inputs{values(c.x, 1), values({c.out, in_features}, 2)};
    if (c.bias) inputs.push_back(values({c.out}, 3));
    check_layer(
        {.layer = [](const Tensors& in) { return linear(in[0], in[1], in.size() == 3 ? in[2] : Tensor()); },
         .reference =
             [&](const Tensors& in) {
               const int64_t rows = in_features == 0 ? 0 : in[0].size() / in_features;
               Shape shape = c.x;
               shape[shape.rank() - 1] = c.out;
               const Tensor y = slow::make(shape);
               for (int64_t i = 0; i < rows; ++i)
                 for (int64_t o = 0; o < c.out; ++o) {
                   double sum = in.size() == 3 ? in[2].data<double>()[o] : 0;
                   for (int64_t k = 0; k < in_features; ++k)
                     sum += in[0].data<double>()[i * in_features + k] *
                            in[1].data<double>()[o * in_features + k];
                   y.data<double>()[i * c.out + o] = sum;
                 }
               return y;
             },
         .inputs = inputs});
  }
}

TEST_CASE("matmul and linear: errors name the call and both shapes") {
  const auto usage = [](auto&& call, auto... parts) { check_error(ErrorKind::usage, call, parts...); };
  usage([] { matmul(zeros({2, 3}), zeros({4, 5})); }, "matmul", "(2, 3)", "(4, 5)");
  usage([] { matmul(zeros({2, 2, 3}), zeros({3, 3, 2})); }, "matmul", "(2", "(3");
  usage([] { matmul(zeros({}), zeros({3})); }, "matmul", "scalar", "a * b");
  usage([] { matmul(zeros({2, 3}), zeros({3, 2}, DType::float64)); }, "matmul", "float32 and float64");
  usage([] { matmul(zeros({2, 3}, DType::int64), zeros({3, 2}, DType::int64)); }, "matmul", "int64");
  usage([] { matmul(zeros({3}), zeros({4})); }, "matmul", "3 columns", "4 rows");
  usage([] { linear(zeros({2, 3}), zeros({4, 5})); }, "linear", "(2, 3)", "(4, 5)");
  usage([] { linear(zeros({2, 3}), zeros({4, 3}), zeros({3})); }, "linear", "bias");
  usage([] { linear(zeros({}), zeros({4, 3})); }, "linear");
  usage([] { linear(zeros({2, 3}), zeros({3})); }, "linear");
}
