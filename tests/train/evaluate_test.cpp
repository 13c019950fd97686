#include "uncial/train/evaluate.h"

#include <cmath>

#include "support/catch.h"
#include "support/check_op.h"
#include "support/errors.h"
#include "train/small_runs.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

using namespace uncial;
using namespace uncial::test;

namespace {

data::Dataset labelled(std::vector<uint8_t> labels, std::vector<std::string> classes) {
  const auto n = int64_t(labels.size());
  return data::Dataset("hand-made", zeros({n, 1, 2, 2}, DType::uint8), from_values<uint8_t>(labels, {n}),
                       std::move(classes));
}

/// ln of probabilities, so that softmax gives them back.
Tensor logits_for(const std::vector<std::vector<double>>& probabilities) {
  const auto n = int64_t(probabilities.size()), classes = int64_t(probabilities[0].size());
  const Tensor logits = empty({n, classes});
  float* out = logits.data<float>();
  for (const auto& row : probabilities)
    for (const double p : row) *out++ = float(std::log(p) + 3);  // softmax does not see the 3
  return logits;
}

}  // namespace

TEST_CASE("Wilson's interval against published values", "[train]") {
  const auto check = [](int64_t hits, int64_t total, double low, double high) {
    const auto [a, b] = train::wilson_interval(hits, total);
    INFO(hits << " of " << total);
    CHECK(a == Approx(low).margin(5e-5));
    CHECK(b == Approx(high).margin(5e-5));
  };
  check(9943, 10000, 0.9926, 0.9956);
  check(81, 263, 0.2553, 0.3662);  // Newcombe, 1998, table I, method 3
  check(15, 148, 0.0624, 0.1605);
  check(0, 20, 0, 0.1611);
  check(1, 29, 0.0061, 0.1718);
  check(5, 10, 0.2366, 0.7634);
  check(20, 20, 1 - 0.1611, 1);
  CHECK(train::wilson_interval(0, 7).first == 0);
  CHECK(train::wilson_interval(7, 7).second == 1);
  check_error(
      ErrorKind::usage, [] { train::wilson_interval(2, 1); }, "got 2 of 1");
  check_error(
      ErrorKind::usage, [] { train::wilson_interval(0, 0); }, "total > 0");
}

TEST_CASE("A report's figures against a confusion matrix made by hand", "[train]") {
  //           predicted: a  b  c
  // true a (3)           2  1  0
  // true b (2)           0  1  1
  // true c (1)           0  1  0
  const data::Dataset data = labelled({0, 0, 0, 1, 1, 2}, {"a", "b", "c"});
  const Tensor logits = logits_for({{0.70, 0.20, 0.10},
                                    {0.60, 0.30, 0.10},
                                    {0.40, 0.50, 0.10},
                                    {0.15, 0.80, 0.05},
                                    {0.10, 0.30, 0.60},
                                    {0.25, 0.55, 0.20}});
  const train::Report r = train::evaluate(logits, data, {.top_k = 2});
  CHECK(r.samples == 6);
  CHECK(r.errors == 3);
  CHECK(r.accuracy == 0.5);
  CHECK(r.accuracy_low == train::wilson_interval(3, 6).first);
  CHECK(r.accuracy_high == train::wilson_interval(3, 6).second);
  const double loss =
      -(std::log(0.7) + std::log(0.6) + std::log(0.4) + std::log(0.8) + std::log(0.3) + std::log(0.2)) / 6;
  CHECK(r.loss == Approx(loss).epsilon(1e-6));
  const std::vector<int64_t> expected = {2, 1, 0, 0, 1, 1, 0, 1, 0};
  const auto confusion = r.confusion.span<int64_t>();
  CHECK(std::vector<int64_t>(confusion.begin(), confusion.end()) == expected);
  CHECK(r.confusion.shape() == Shape{3, 3});
  // Second best is right for sample 2 and 4; for the last one the label comes third.
  CHECK(r.top_k_accuracy == Approx(5.0 / 6));
  REQUIRE(r.classes.size() == 3);
  CHECK(r.classes[0].name == "a");
  CHECK(r.classes[0].count == 3);
  CHECK(r.classes[0].precision == 1);
  CHECK(r.classes[0].recall == Approx(2.0 / 3));
  CHECK(r.classes[0].f1 == Approx(0.8));
  CHECK(r.classes[1].precision == Approx(1.0 / 3));
  CHECK(r.classes[1].recall == 0.5);
  CHECK(r.classes[1].f1 == Approx(0.4));
  CHECK(r.classes[2].precision == 0);
  CHECK(r.classes[2].recall == 0);
  CHECK(r.classes[2].f1 == 0);
  CHECK(r.probabilities.at({5, 1}) == Approx(0.55));
  CHECK(r.line() == "test accuracy 50.00 % (95 % interval 18.76-81.24), loss 0.8034, 3 errors in 6");
}

TEST_CASE("Calibration error against a sum made by hand", "[train]") {
  const data::Dataset data = labelled({0, 0, 0, 1, 1}, {"a", "b"});
  const Tensor logits = logits_for({{0.55, 0.45}, {0.52, 0.48}, {0.15, 0.85}, {0.08, 0.92}, {0.88, 0.12}});
  // Bins of 0.1: {0.55 right, 0.52 right}, {0.85 wrong, 0.88 wrong}, {0.92 right}.
  const double expected = (2 * std::abs(1 - 0.535) + 2 * std::abs(0 - 0.865) + std::abs(1 - 0.92)) / 5;
  CHECK(train::evaluate(logits, data, {.calibration_bins = 10}).calibration_error ==
        Approx(expected).epsilon(1e-5));
  // One bin compares mean confidence with accuracy.
  CHECK(train::evaluate(logits, data, {.calibration_bins = 1}).calibration_error ==
        Approx(std::abs(0.6 - (0.55 + 0.52 + 0.85 + 0.92 + 0.88) / 5)).epsilon(1e-5));
}

TEST_CASE("The report's line rounds as it is written in the documentation", "[train]") {
  train::Report r;
  r.samples = 10000;
  r.errors = 57;
  r.accuracy = 0.9943;
  std::tie(r.accuracy_low, r.accuracy_high) = train::wilson_interval(9943, 10000);
  r.loss = 0.01712;
  CHECK(r.line() == "test accuracy 99.43 % (95 % interval 99.26-99.56), loss 0.0171, 57 errors in 10000");
}

TEST_CASE("The report as JSON", "[train]") {
  const train::Report r =
      train::evaluate(logits_for({{0.9, 0.1}, {0.2, 0.8}}), labelled({0, 1}, {"\"a\"", "b"}));
  const std::string json = r.json();
  for (const char* part : {"\"samples\": 2", "\"errors\": 0", "\"accuracy\": 1.0", "\"name\": \"\\\"a\\\"\"",
                           "\"calibration_error\"", "\"top_k_accuracy\": 1.0", "\"confusion\""}) {
    INFO(json << part);
    CHECK(json.find(part) != std::string::npos);
  }
  CHECK(train::Report{}.json().find("\"confusion\": []") != std::string::npos);
}

TEST_CASE("Equal logits: the first class is predicted, and ranks agree with it", "[train]") {
  const train::Report r = train::evaluate(zeros({2, 3}), labelled({0, 2}, {"a", "b", "c"}), {.top_k = 1});
  CHECK(r.errors == 1);
  CHECK(r.top_k_accuracy == 0.5);
  CHECK(r.confusion.at({2, 0}) == 1);
}

TEST_CASE("evaluate, predict and accuracy agree, whatever the batch size", "[train]") {
  const data::Dataset data = blobs(37, 4);
  const nn::Sequential net = small_net();
  const std::string before = digest_of(net);
  const train::Report whole = train::evaluate(net, data);
  const auto [images, labels] = data.range(0, data.size());
  for (const int64_t batch : {1, 10, 36, 37, 1000}) {
    INFO("batch " << batch);
    const train::Report parts = train::evaluate(net, data, {.batch = batch});
    // Another batch size may choose another kernel, whose sums run in another order: equal up to rounding.
    CHECK(parts.loss == Approx(whole.loss).epsilon(1e-6));
    CHECK(parts.errors == whole.errors);
    check_close(parts.probabilities, whole.probabilities, 1e-6);
    CHECK(same_bits(train::predict(net, images, {.batch = batch}), parts.probabilities));
  }
  CHECK(train::accuracy(net, data) == whole.accuracy);
  CHECK(digest_of(net) == before);  // running statistics too

  // Against the tape: dropout off, running statistics used.
  nn::Context context(nn::Mode::eval);
  const NoGrad no_grad;
  const Tensor logits = net.forward(images, context);
  CHECK(whole.loss == Approx(cross_entropy(logits, labels).item()).epsilon(1e-5));
  check_close(softmax(logits), whole.probabilities, 1e-6);
}

TEST_CASE("evaluate and predict refuse what does not fit", "[train]") {
  const nn::Sequential net = small_net();
  const data::Dataset data = blobs(8, 1);
  check_error(
      ErrorKind::usage, [&] { train::evaluate(net, data::Dataset()); }, "evaluate: the data set '' is empty");
  check_error(
      ErrorKind::usage, [&] { train::evaluate(net, data, {.batch = 0}); }, "batch must be >= 1");
  check_error(
      ErrorKind::usage, [&] { train::evaluate(net, data, {.top_k = 0}); }, "top_k must be >= 1");
  check_error(
      ErrorKind::usage, [&] { train::evaluate(net, data, {.calibration_bins = 0}); }, "calibration_bins");
  check_error(
      ErrorKind::usage,
      [&] {
        train::evaluate(zeros({8, 3}), data);
      },
      "(8, 3) for 8 images", "expected (8, 4)");
  check_error(
      ErrorKind::usage,
      [&] {
        train::predict(net, zeros({1, 8, 8}));
      },
      "images.unsqueeze(0)");
  check_error(
      ErrorKind::usage,
      [&] {
        train::predict(net, zeros({0, 1, 8, 8}));
      },
      "no images");
  const nn::Sequential no_classes{nn::Conv2d(1, 4)};
  check_error(
      ErrorKind::usage, [&] { train::evaluate(no_classes, data); }, "the net gives (1, 4, 6, 6) for 1 image");
}
