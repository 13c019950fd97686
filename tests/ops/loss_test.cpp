#include <limits>

#include "layer_check.h"
#include "slow_layers.h"
#include "support/errors.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor values(const Shape& shape, uint64_t seed = 1) { return randn(shape, seed, DType::float64); }

struct AxisCase {
  Shape x;
  int64_t axis;
};
const std::vector<AxisCase> kAxes = {{{1}, 0},           {{7}, -1},           {{3, 5}, -1},   {{3, 5}, 0},
                                     {{2, 1}, 1},        {{2, 3, 4}, 1},      {{2, 3, 4}, 0}, {{2, 3, 4}, -1},
                                     {{2, 2, 3, 2}, -3}, {{0, 7}, 1},         {{4, 0}, 0},    {{300, 40}, 1},
                                     {{1, 1000}, 1},     {{2, 3, 1, 2, 2}, 1}};

Tensor map(const Tensor& x, double (*f)(double)) {
  const Tensor y = slow::make(x.shape());
  for (int64_t i = 0; i < x.size(); ++i) y.data<double>()[i] = f(x.data<double>()[i]);
  return y;
}

/// Mean of f(x[i], y[i]).
template <class F>
Tensor pair_mean(const Tensor& x, const Tensor& y, F f) {
  const Tensor mean = slow::make({});
  for (int64_t i = 0; i < x.size(); ++i)
    *mean.data<double>() += f(x.data<double>()[i], y.data<double>()[i]) / double(x.size());
  return mean;
}

/// The weighted mean of -sum(target * log softmax), by the definition.
Tensor slow_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing,
                          const Tensor& weights) {
  const Tensor log_p = slow::log_softmax(logits, 1), loss = slow::make({});
  const int64_t classes = logits.size(1);
  double total = 0;
  for (int64_t i = 0; i < logits.size(0); ++i) {
    const int64_t label = int64_t(labels.at({i}));
    const double w = weights.defined() ? weights.data<double>()[label] : 1;
    total += w;
    for (int64_t k = 0; k < classes; ++k)
      *loss.data<double>() -= w * ((k == label ? 1 - smoothing : 0) + smoothing / double(classes)) *
                              log_p.data<double>()[i * classes + k];
  }
  *loss.data<double>() /= total;
  return loss;
}

/// Labels (N) that visit every class.
Tensor some_labels(int64_t N, int64_t classes) {
  const Tensor labels = empty({N}, DType::int64);
  for (int64_t i = 0; i < N; ++i) labels.data<int64_t>()[i] = (i * 7 + 3) % classes;
  return labels;
}

Tensor labels_of(std::initializer_list<int64_t> labels) { return tensor<int64_t>(labels); }

}  // namespace

TEST_CASE("softmax and log_softmax: values and gradients along any axis") {
  for (const AxisCase& c : kAxes) {
    INFO("x " << c.x << " axis " << c.axis);
    const int axis = wrap_axis(c.axis, c.x.rank(), "test");
    check_layer(
        {.layer = [&](const Tensors& in) { return softmax(in[0], c.axis); },
         .reference = [&](const Tensors& in) { return map(slow::log_softmax(in[0], axis), std::exp); },
         .inputs = {values(c.x)}});
    check_layer({.layer = [&](const Tensors& in) { return log_softmax(in[0], c.axis); },
                 .reference = [&](const Tensors& in) { return slow::log_softmax(in[0], axis); },
                 .inputs = {values(c.x)}});
  }
  const Tensor x = values({3, 4});
  CHECK(second_gradient_gap([](const Tensors& in) { return softmax(in[0]); }, {x}) < 1e-6);
  CHECK(second_gradient_gap([](const Tensors& in) { return log_softmax(in[0]); }, {x}) < 1e-6);
}

TEST_CASE("softmax: finite wherever the mathematics is") {
  const Tensor even = softmax(full({2, 4}, 1e38));
  for (int64_t k = 0; k < 4; ++k) CHECK(even.at({1, k}) == 0.25);
  const Tensor far = softmax(tensor<float>({1e38f, -1e38f}));
  CHECK(far.at({0}) == 1);
  CHECK(far.at({1}) == 0);
  CHECK(log_softmax(tensor<float>({1e38f, -1e38f})).at({1}) == Approx(-2e38));
  CHECK(softmax(full({3}, 1000)).at({0}) == Approx(1.0 / 3));
  // One class of -inf has probability 0; a row of nothing else has none, and says NaN.
  const Tensor masked = softmax(tensor<float>({0, -INFINITY, 0}));
  CHECK(masked.at({0}) == 0.5);
  CHECK(masked.at({1}) == 0);
  CHECK(std::isnan(softmax(full({3}, -kInfinity)).at({0})));
  CHECK(std::isnan(softmax(tensor<float>({0, NAN})).at({0})));
}

TEST_CASE("cross_entropy: values and gradients") {
  struct Case {
    int64_t N, classes;
    double smoothing;
    bool weights;
  };
  for (const Case& c : std::vector<Case>{{1, 1, 0, false},
                                         {1, 2, 0, false},
                                         {3, 5, 0, false},
                                         {4, 10, 0.1, false},
                                         {7, 3, 0, true},
                                         {5, 4, 0.3, true},
                                         {2, 100, 0, false},
                                         {500, 10, 0, false},
                                         {1000, 7, 0.05, true},
                                         {1, 10, 0.9, false},
                                         {2, 1, 0.5, true},
                                         {13, 26, 0, true}}) {
    INFO(c.N << " x " << c.classes << " smoothing " << c.smoothing << " weights " << c.weights);
    const Tensor labels = some_labels(c.N, c.classes);
    const Tensor weights = c.weights ? rand({c.classes}, 3, 0.5, 2, DType::float64) : Tensor();
    check_layer(
        {.layer =
             [&](const Tensors& in) {
               return cross_entropy(
                   in[0], beside(in[0], labels),
                   {.label_smoothing = c.smoothing, .class_weights = beside(in[0], weights)});
             },
         .reference =
             [&](const Tensors& in) { return slow_cross_entropy(in[0], labels, c.smoothing, weights); },
         .inputs = {values({c.N, c.classes})}});
    const auto layer = [&](const Tensors& in) {
      return square(cross_entropy(in[0], labels, {.label_smoothing = c.smoothing, .class_weights = weights}));
    };
    if (c.N * c.classes < 60 && c.classes > 1)
      CHECK(second_gradient_gap(layer, {values({c.N, c.classes})}) < 1e-6);
  }
}

TEST_CASE("cross_entropy: agrees with nll_loss of log_softmax") {
  const Tensor x = values({6, 4}), labels = some_labels(6, 4);
  CHECK(cross_entropy(x, labels).item() == Approx(nll_loss(log_softmax(x), labels).item()).epsilon(1e-14));
}

TEST_CASE("cross_entropy: labels of each integer dtype, strided ones too") {
  const Tensor x = randn({5, 10}, 1), labels = labels_of({9, 0, 3, 3, 7});
  const double expected = cross_entropy(x, labels).item();
  CHECK(cross_entropy(x, labels.to(DType::int32)).item() == expected);
  CHECK(cross_entropy(x, labels.to(DType::uint8)).item() == expected);
  CHECK(cross_entropy(x, as_strided(labels)).item() == expected);
  CHECK(nll_loss(x, as_strided(labels)).item() == nll_loss(x, labels).item());
}

TEST_CASE("cross_entropy: finite wherever the mathematics is") {
  const Tensor x = parameter(tensor<float>({1e38f, -1e38f}, Shape{1, 2}));
  const Tensor loss = cross_entropy(x, labels_of({1}));
  CHECK(loss.item() == Approx(2e38));
  loss.backward();
  CHECK(x.grad().at({0, 0}) == 1);
  CHECK(x.grad().at({0, 1}) == -1);
  CHECK(cross_entropy(tensor<float>({1e38f, -1e38f}, Shape{1, 2}), labels_of({0})).item() == 0);
  // Another class of probability 0 costs nothing; the label's own costs infinity.
  const Tensor impossible = tensor<float>({0, -INFINITY}, Shape{1, 2});
  CHECK(cross_entropy(impossible, labels_of({0})).item() == 0);
  CHECK(cross_entropy(impossible, labels_of({1})).item() == kInfinity);
  CHECK(nll_loss(impossible, labels_of({0})).item() == 0);
  CHECK(std::isnan(cross_entropy(tensor<float>({0, NAN}, Shape{1, 2}), labels_of({0})).item()));
}

TEST_CASE("nll_loss, mse_loss, l1_loss, bce_with_logits: values and gradients") {
  for (const Shape& shape : std::vector<Shape>{{1, 1}, {3, 4}, {2, 7}, {50, 3}}) {
    INFO("x " << shape);
    const Tensor labels = some_labels(shape[0], shape[1]);
    check_layer(
        {.layer = [&](const Tensors& in) { return nll_loss(in[0], beside(in[0], labels)); },
         .reference =
             [&](const Tensors& in) {
               const Tensor mean = slow::make({});
               for (int64_t i = 0; i < in[0].size(0); ++i)
                 *mean.data<double>() -= in[0].at({i, int64_t(labels.at({i}))}) / double(in[0].size(0));
               return mean;
             },
         .inputs = {values(shape)}});
  }
  for (const Shape& shape : std::vector<Shape>{{},
                                               {1},
                                               {5},
                                               {3, 4},
                                               {2, 3, 4},
                                               {1, 1, 1, 1},
                                               {2, 1, 3, 1, 2},
                                               {100, 7},
                                               {3, 1},
                                               {1, 9},
                                               {2, 2, 2, 2},
                                               {31}}) {
    INFO("x " << shape);
    const Tensors pair{values(shape, 1), values(shape, 2)};
    check_layer({.layer = [](const Tensors& in) { return mse_loss(in[0], in[1]); },
                 .reference =
                     [](const Tensors& in) {
                       return pair_mean(in[0], in[1], [](double x, double y) { return (x - y) * (x - y); });
                     },
                 .inputs = pair});
    check_layer({.layer = [](const Tensors& in) { return l1_loss(in[0], in[1]); },
                 .reference =
                     [](const Tensors& in) {
                       return pair_mean(in[0], in[1], [](double x, double y) { return std::abs(x - y); });
                     },
                 .inputs = pair});
    check_layer({.layer = [](const Tensors& in) { return bce_with_logits(in[0], in[1]); },
                 .reference =
                     [](const Tensors& in) {
                       return pair_mean(in[0], in[1], [](double x, double t) {
                         const double p = 1 / (1 + std::exp(-x));
                         return -t * std::log(p) - (1 - t) * std::log(1 - p);
                       });
                     },
                 .inputs = {values(shape, 1), rand(shape, 2, 0, 1, DType::float64)},
                 .tolerance = 1e-10});
  }
}

TEST_CASE("bce_with_logits: no overflow, and the right slope at 0") {
  CHECK(bce_with_logits(tensor<float>({1e38f, -1e38f}), tensor<float>({1, 0})).item() == 0);
  CHECK(bce_with_logits(full({1}, 1e4), zeros({1})).item() == Approx(1e4));
  const Tensor x = parameter(zeros({1}));
  bce_with_logits(x, ones({1})).backward();
  CHECK(x.grad().item() == -0.5);
}

TEST_CASE("losses: errors name the call and the way out") {
  const auto usage = [](auto&& call, auto... parts) { check_error(ErrorKind::usage, call, parts...); };
  const Tensor x = zeros({5, 10});
  usage([&] { softmax(zeros({3, 0})); }, "softmax: x(3, 0) needs at least one element along axis 1");
  usage([&] { log_softmax(x, 2); }, "log_softmax", "axis");
  usage([&] { softmax(zeros({})); }, "softmax", "axis");
  usage([&] { softmax(zeros({2}, DType::int32)); }, "softmax", "int32");
  usage(
      [&] {
        cross_entropy(x, labels_of({0, 1, 2, 10, 11}));
      },
      "cross_entropy: label 10 at index 3 is outside [0, 10)");
  usage(
      [&] {
        cross_entropy(x, labels_of({0, 1, -1, 2, 3}));
      },
      "cross_entropy: label -1 at index 2 is outside [0, 10)");
  usage(
      [&] {
        nll_loss(x, labels_of({0, 1, 2, 3, 12}));
      },
      "nll_loss: label 12 at index 4 is outside [0, 10)");
  usage([&] { cross_entropy(x, zeros({5})); }, "labels must be int64, int32 or uint8, got float32",
        "to(DType::int64)");
  usage([&] { cross_entropy(x, labels_of({0, 1})); }, "labels(2) must be (5)", "logits(5, 10)");
  usage([&] { cross_entropy(zeros({10}), labels_of({0})); },
        "logits must be float (N, classes), got float32(10)", "unsqueeze(0)");
  usage(
      [&] {
        cross_entropy(zeros({0, 10}), zeros({0}, DType::int64));
      },
      "logits(0, 10) has nothing to average");
  usage([&] { cross_entropy(zeros({5, 10}, DType::int64), some_labels(5, 10)); }, "logits must be float");
  usage([&] { cross_entropy(x, some_labels(5, 10), {.label_smoothing = 1}); },
        "label_smoothing must be in [0, 1), got 1");
  usage([&] { cross_entropy(x, some_labels(5, 10), {.class_weights = ones({9})}); },
        "class_weights must be float32(10)", "got float32(9)");
  usage([&] { mse_loss(x, zeros({5})); }, "mse_loss: x and y must agree, got float32(5, 10) and float32(5)");
  usage([&] { l1_loss(x, zeros({5, 10}, DType::float64)); }, "l1_loss", "float64");
  usage([&] { bce_with_logits(x, zeros({})); }, "bce_with_logits: logits and targets must agree");
  usage([&] { mse_loss(zeros({0}), zeros({0})); }, "mean");
}
