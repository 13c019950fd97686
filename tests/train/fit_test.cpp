#include <cmath>

#include "support/catch.h"
#include "support/errors.h"
#include "train/small_runs.h"
#include "uncial/core/log.h"
#include "uncial/core/parallel.h"
#include "uncial/data/mnist.h"
#include "uncial/train/evaluate.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// Everything that a run can use at once.
train::FitOptions rich_options() {
  return {.validation = blobs(64, 2),
          .epochs = 3,
          .batch = 16,
          .augment = vision::Compose(
              {vision::RandomAffine({.degrees = 5, .shift = 0.05}), vision::RandomNoise(0.02)}),
          .optimizer = optim::Adam({.lr = 0.02}),
          .schedule = optim::one_cycle(),
          .label_smoothing = 0.05,
          .average = 0.9,
          .clip_norm = 1,
          .seed = 7};
}

struct Outcome {
  std::string weights;
  std::vector<double> figures;
};

Outcome outcome_of(const train::FitOptions& options, const data::Dataset& data) {
  nn::Sequential net = small_net();
  const train::History history = train::fit(net, data, options);
  return {digest_of(net), figures_of(history)};
}

}  // namespace

TEST_CASE("fit teaches a net with each optimiser", "[train]") {
  const data::Dataset data = blobs(320, 1), fresh = blobs(400, 3);
  const std::vector<optim::Recipe> recipes = {
      optim::SGD({.lr = 0.1}), optim::SGD({.lr = 0.05, .momentum = 0.9, .nesterov = true}),
      optim::RMSprop({.lr = 0.003}), optim::Adam({.lr = 0.01}), optim::AdamW({.lr = 0.01})};
  for (const optim::Recipe& recipe : recipes) {
    nn::Sequential net = small_net();
    CHECK(train::accuracy(net, fresh) < 0.6);
    const train::History history = train::fit(net, data, {.epochs = 6, .batch = 16, .optimizer = recipe});
    INFO(recipe.describe());
    CHECK(train::accuracy(net, fresh) > 0.93);
    CHECK(history.epochs.back().loss < history.epochs.front().loss / 2);
    CHECK(history.stop_reason == "all epochs done");
  }
}

TEST_CASE("fit learns handwritten digits", "[train]") {
  const data::Splits mnist = data::mnist();
  nn::Sequential net(nn::Conv2d(1, 8, {.kernel = 5, .stride = 2}), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Flatten(), nn::Dense(288, 10));
  net.initialize({.seed = 1});
  train::fit(net, mnist.train.take(4000), {.epochs = 3, .batch = 50, .optimizer = optim::Adam({.lr = 5e-3})});
  CHECK(train::accuracy(net, mnist.test.take(1000)) > 0.90);
}

TEST_CASE("fit: history, progress and rates", "[train]") {
  const data::Dataset data = blobs(70, 1);
  nn::Sequential net = small_net();
  std::vector<train::Progress> seen;
  std::vector<train::EpochRecord> finished;
  const train::History history = train::fit(net, data,
                                            {.validation = blobs(20, 2),
                                             .epochs = 2,
                                             .batch = 16,
                                             .optimizer = optim::SGD({.lr = 0.5}),
                                             .schedule = optim::cosine(),
                                             .progress =
                                                 [&](const train::Progress& p) {
                                                   seen.push_back(p);
                                                   if (p.finished) finished.push_back(*p.finished);
                                                 },
                                             .drop_last = false});
  REQUIRE(seen.size() == 2 * (5 + 1));  // 70 samples are 4 batches of 16 and one of 6
  CHECK(seen[0].epoch == 1);
  CHECK(seen[0].batch == 1);
  CHECK(seen[0].batches == 5);
  CHECK(seen[0].epochs == 2);
  CHECK(seen[0].samples_per_second > 0);
  CHECK(seen[0].lr == 0.5);
  CHECK(seen[6].lr == optim::cosine()->rate(0.5, 5, 10));
  CHECK_FALSE(seen[4].finished);
  CHECK(seen[5].finished);
  REQUIRE(finished.size() == 2);
  REQUIRE(history.epochs.size() == 2);
  CHECK(finished[1].validation_loss == history.epochs[1].validation_loss);
  CHECK(history.epochs[1].epoch == 2);
  CHECK(history.epochs[1].lr == optim::cosine()->rate(0.5, 9, 10));
  CHECK(history.epochs[0].seconds > 0);
  const int better = history.epochs[1].validation_accuracy > history.epochs[0].validation_accuracy ||
                     (history.epochs[1].validation_accuracy == history.epochs[0].validation_accuracy &&
                      history.epochs[1].validation_loss < history.epochs[0].validation_loss);
  CHECK(history.best_epoch == 1 + better);
  const train::Report report = train::evaluate(net, blobs(20, 2));
  CHECK(report.accuracy == history.epochs[1].validation_accuracy);
  CHECK(report.loss == history.epochs[1].validation_loss);
}

TEST_CASE("fit: figures without validation are NaN, and no epoch is best", "[train]") {
  nn::Sequential net = small_net();
  const train::History history = train::fit(net, blobs(32, 1), {.epochs = 1, .batch = 16});
  CHECK(std::isnan(history.epochs[0].validation_loss));
  CHECK(std::isnan(history.epochs[0].validation_accuracy));
  CHECK(history.best_epoch == 0);
}

TEST_CASE("fit: the loss of the history is the mean over the samples", "[train]") {
  // A rate of 0 leaves the net alone, so that the epoch's loss can be computed afterwards.
  nn::Sequential net(nn::Flatten(), nn::Dense(64, 4));
  const data::Dataset data = blobs(22, 1);
  const train::History history = train::fit(
      net, data, {.epochs = 2, .batch = 16, .optimizer = optim::SGD({.lr = 0}), .drop_last = false});
  const train::Report report = train::evaluate(net, data);
  for (const train::EpochRecord& e : history.epochs) {
    CHECK(e.loss == Approx(report.loss).epsilon(1e-6));
    CHECK(e.accuracy == report.accuracy);
  }
}

TEST_CASE("fit: each epoch's loss is its own", "[train]") {
  // One batch an epoch: the loss of the second is that of the net after the first.
  const data::Dataset data = blobs(32, 1);
  const auto run = [&](int64_t epochs) {
    nn::Sequential net(nn::Flatten(), nn::Dense(64, 4));
    const train::History history =
        train::fit(net, data, {.epochs = epochs, .batch = 32, .optimizer = optim::SGD({.lr = 0.2})});
    return std::pair(history.epochs.back().loss, train::evaluate(net, data).loss);
  };
  const auto [first, after_first] = run(1);
  CHECK(after_first < 0.99 * first);
  CHECK(run(2).first == Approx(after_first).epsilon(1e-5));
}

TEST_CASE("fit: the seed decides, nothing else", "[train]") {
  const data::Dataset data = blobs(96, 1);
  train::FitOptions options = rich_options();
  const Outcome first = outcome_of(options, data);
  CHECK(outcome_of(options, data).weights == first.weights);
  options.seed = 8;
  CHECK(outcome_of(options, data).weights != first.weights);
}

TEST_CASE("fit: a recorded run agrees with an eager one up to rounding", "[train]") {
  const data::Dataset data = blobs(96 + 5, 1);
  train::FitOptions options = rich_options();
  options.drop_last = false;
  std::vector<std::string> refusals;
  set_log_sink([&](LogLevel, std::string_view text) {
    if (text.find("runs eagerly") != std::string_view::npos) refusals.emplace_back(text);
  });
  const Outcome recorded = outcome_of(options, data);
  set_log_sink({});
  CHECK(refusals.empty());
  options.record = false;
  const Outcome eager = outcome_of(options, data);
  REQUIRE(recorded.figures.size() == eager.figures.size());
  for (size_t i = 0; i < eager.figures.size(); ++i) {
    INFO("figure " << i);
    CHECK(recorded.figures[i] == Approx(eager.figures[i]).epsilon(0.02));
  }
}

TEST_CASE("fit: 1, 2 and 3 threads give the same bits", "[train]") {
  const data::Dataset data = blobs(96, 1);
  std::vector<Outcome> outcomes;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    outcomes.push_back(outcome_of(rich_options(), data));
  }
  set_thread_pool(nullptr);
  CHECK(outcomes[0].weights == outcomes[1].weights);
  CHECK(outcomes[0].weights == outcomes[2].weights);
  CHECK(outcomes[0].figures == outcomes[2].figures);
}

TEST_CASE("fit: every option has an effect", "[train]") {
  const data::Dataset data = blobs(96, 1);
  const Outcome all = outcome_of(rich_options(), data);
  const auto without = [&](const auto& change) {
    train::FitOptions options = rich_options();
    change(options);
    return outcome_of(options, data).weights;
  };
  CHECK(without([](auto& o) { o.augment = nullptr; }) != all.weights);
  CHECK(without([](auto& o) { o.schedule = nullptr; }) != all.weights);
  CHECK(without([](auto& o) { o.label_smoothing = 0; }) != all.weights);
  CHECK(without([](auto& o) { o.average = 0; }) != all.weights);
  CHECK(without([](auto& o) { o.clip_norm = 0; }) != all.weights);
  CHECK(without([](auto& o) { o.precision = Precision::bf16; }) != all.weights);
  CHECK(without([](auto& o) { o.validation = std::nullopt; }) == all.weights);  // looks on, never learns
}

TEST_CASE("fit: averaged weights are validated and kept", "[train]") {
  train::FitOptions options = rich_options();
  nn::Sequential net = small_net();
  const train::History history = train::fit(net, blobs(96, 1), options);
  CHECK(train::evaluate(net, *options.validation).loss == history.epochs.back().validation_loss);
  // With a decay near 1 and few steps, averages stay near the start while the weights run away.
  options.average = 0.5;
  nn::Sequential other = small_net();
  train::fit(other, blobs(96, 1), options);
  CHECK(digest_of(other) != digest_of(net));
}

TEST_CASE("fit: dropout and augmentation are keyed by epoch and sample, not by batch", "[train]") {
  // A rate of 0: the loss of an epoch is then a mean over samples, each with its own mask and noise.
  const auto losses = [](const nn::Sequential& net, const vision::Augment& augment, int64_t batch) {
    nn::Sequential copy = net;
    std::vector<double> all;
    const train::FitOptions options{.epochs = 2,
                                    .batch = batch,
                                    .augment = augment,
                                    .optimizer = optim::SGD({.lr = 0}),
                                    .drop_last = false};
    for (const train::EpochRecord& e : train::fit(copy, blobs(60, 1), options).epochs) all.push_back(e.loss);
    return all;
  };
  const auto check = [](const std::vector<double>& a, const std::vector<double>& b) {
    CHECK(a[0] == Approx(b[0]).epsilon(1e-5));
    CHECK(a[1] == Approx(b[1]).epsilon(1e-5));
    CHECK(std::abs(a[0] - a[1]) > 1e-4 * a[0]);
  };
  const nn::Sequential plain(nn::Flatten(), nn::Dense(64, 4)),
      dropping(nn::Flatten(), nn::Dropout(0.5), nn::Dense(64, 4));
  const vision::Augment noise = vision::RandomNoise(0.5);
  check(losses(dropping, nullptr, 60), losses(dropping, nullptr, 7));
  check(losses(plain, noise, 60), losses(plain, noise, 7));
}

TEST_CASE("fit: running statistics are those of the data", "[train]") {
  // Rate 0 and momentum 1: after the run they are the last batch's, here the whole data set's.
  nn::Sequential net(nn::BatchNorm2d(1, {.momentum = 1}), nn::Flatten(), nn::Dense(64, 4));
  const data::Dataset data = blobs(40, 1);
  train::fit(net, data, {.epochs = 1, .batch = 40, .optimizer = optim::SGD({.lr = 0})});
  double sum = 0, squares = 0;
  const auto images = data.range(0, 40).first;
  for (const float v : images.span<float>()) {
    sum += v;
    squares += double(v) * v;
  }
  const double n = double(images.size()), mean = sum / n;
  const nn::NamedTensors buffers = net.named_buffers();
  REQUIRE(buffers.size() == 2);
  CHECK(buffers[0].second.item() == Approx(mean).epsilon(1e-5));
  CHECK(buffers[1].second.item() == Approx((squares - n * mean * mean) / (n - 1)).epsilon(1e-4));
}

TEST_CASE("fit: plateau schedules hear of validation", "[train]") {
  // With such a rate nothing ever improves: after `patience` epochs beyond the first, the rate falls.
  nn::Sequential plain(nn::Flatten(), nn::Dense(64, 4));
  const train::History history = train::fit(plain, blobs(32, 1),
                                            {.validation = blobs(20, 2),
                                             .epochs = 4,
                                             .batch = 16,
                                             .optimizer = optim::SGD({.lr = 1e-30}),
                                             .schedule = optim::reduce_on_plateau(2, 0.5)});
  CHECK(history.epochs[0].lr == 1e-30);
  CHECK(history.epochs[2].lr == 1e-30);
  CHECK(history.epochs[3].lr == 5e-31);
}

TEST_CASE("fit: what cannot work is said before the first step", "[train]") {
  const data::Dataset data = blobs(64, 1);
  nn::Sequential net = small_net();
  const auto refuses = [&](const train::FitOptions& options, const auto&... parts) {
    const std::string before = digest_of(net);
    check_error(
        ErrorKind::usage, [&] { train::fit(net, data, options); }, parts...);
    CHECK(digest_of(net) == before);
  };
  refuses({.epochs = 0}, "fit: epochs must be >= 1, got 0");
  refuses({.batch = 0}, "batch must be >= 1");
  refuses({.batch = 65}, "batch 65 is larger than the 64 samples", "drop_last = false");
  refuses({.batch = 16, .label_smoothing = 1}, "label_smoothing must be in [0, 1), got 1");
  refuses({.batch = 16, .average = -1}, "average must be in [0, 1), got -1");
  refuses({.batch = 16, .clip_norm = std::nan("")}, "clip_norm must be >= 0, got nan");
  refuses({.batch = 16, .callbacks = {nullptr}}, "a callback is null");
  refuses({.batch = 16, .callbacks = {train::EarlyStopping()}}, "early stopping needs a validation set");
  refuses({.batch = 16, .resume = true}, "resume needs a callback", "Checkpoint");

  nn::Sequential three_classes(nn::Flatten(), nn::Dense(64, 3));
  check_error(
      ErrorKind::usage, [&] { train::fit(three_classes, data, {.batch = 16}); },
      "the net gives (1, 3) for 1 image", "expected (1, 4)");
  nn::Sequential wrong_size(nn::Flatten(), nn::Dense(784, 4));
  check_error(
      ErrorKind::usage, [&] { train::fit(wrong_size, data, {.batch = 16}); },
      "cannot take the images (1, 8, 8) of 'blobs'");
  nn::Sequential nothing_to_learn{nn::Flatten()};
  check_error(
      ErrorKind::usage, [&] { train::fit(nothing_to_learn, data, {.batch = 16}); }, "nothing to learn");
}
