#include "support/catch.h"
#include "support/errors.h"
#include "train/small_runs.h"
#include "uncial/train/evaluate.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// Keeps a copy of the weights of every epoch.
class WeightDiary final : public train::Callback {
 public:
  std::string on_epoch(const train::EpochView& view) override {
    weights.push_back(digest_of(view.weights));
    return weights.size() == stop_after ? "the diary is full" : "";
  }
  std::string name() const override { return "diary"; }
  std::vector<std::string> weights;
  size_t stop_after = 0;
};

train::FitOptions worsening(std::vector<train::CallbackPtr> callbacks) {
  return {.validation = blobs(64, 2),
          .epochs = 10,
          .batch = 16,
          .optimizer = optim::SGD({.lr = 0.05}),
          .schedule = optim::step_decay({0.2}, 40),
          .callbacks = std::move(callbacks)};
}

/// Hands EarlyStopping a history of its own making, with a net of one weight.
class Script {
 public:
  explicit Script(train::CallbackPtr callback) : callback_(std::move(callback)) { callback_->on_start(net_); }
  std::string epoch(double accuracy, double loss = 1) {
    history_.epochs.push_back({.epoch = int64_t(history_.epochs.size()) + 1,
                               .validation_loss = loss,
                               .validation_accuracy = accuracy});
    const train::EpochRecord& now = history_.epochs.back();
    const bool better = history_.best_epoch == 0 ||
                        accuracy > history_.epochs[size_t(history_.best_epoch - 1)].validation_accuracy;
    if (better) history_.best_epoch = now.epoch;
    net_.weight.detach().fill_(double(now.epoch));
    return callback_->on_epoch({.net = net_, .history = history_, .weights = net_.state_dict()});
  }
  double end() {
    callback_->on_end(net_, history_);
    return net_.weight.detach().at({0, 0});
  }

 private:
  train::CallbackPtr callback_;
  train::History history_;
  nn::Dense net_{1, 1};
};

}  // namespace

TEST_CASE("EarlyStopping: patience counts epochs without a gain", "[train]") {
  Script script(train::EarlyStopping({.patience = 2}));
  CHECK(script.epoch(0.5).empty());
  CHECK(script.epoch(0.6).empty());
  CHECK(script.epoch(0.6).empty());
  CHECK(script.epoch(0.7).empty());
  CHECK(script.epoch(0.69).empty());
  CHECK(script.epoch(0.7) ==
        "early stopping: no better validation accuracy for 2 epochs (best 70.00 % in epoch 4)");
  CHECK(script.end() == 4);
}

TEST_CASE("EarlyStopping: a lower loss decides between equal accuracies", "[train]") {
  Script script(train::EarlyStopping({.patience = 1}));
  CHECK(script.epoch(0.5, 1.0).empty());
  CHECK(script.epoch(0.5, 0.9).empty());
  CHECK_FALSE(script.epoch(0.5, 0.95).empty());
}

TEST_CASE("EarlyStopping: gains below min_delta do not count, but add up", "[train]") {
  Script script(train::EarlyStopping({.patience = 3, .min_delta = 0.1}));
  CHECK(script.epoch(0.50).empty());
  CHECK(script.epoch(0.56).empty());
  CHECK(script.epoch(0.61).empty());       // 0.11 more than the 0.50 that counted
  CHECK(script.epoch(0.61, 0.5).empty());  // a lower loss is no gain of accuracy
  CHECK(script.epoch(0.63).empty());
  CHECK_FALSE(script.epoch(0.64).empty());
  CHECK(script.end() == 6);  // the best weights come back all the same
}

TEST_CASE("EarlyStopping: restore_best can be left out", "[train]") {
  Script script(train::EarlyStopping({.patience = 1, .restore_best = false}));
  script.epoch(0.5);
  script.epoch(0.4);
  CHECK(script.end() == 2);
}

TEST_CASE("EarlyStopping ends a run that gets worse, with its best weights", "[train]") {
  const auto diary = std::make_shared<WeightDiary>();
  nn::Sequential net = small_net();
  const train::FitOptions options = worsening({train::EarlyStopping({.patience = 2}), diary});
  const train::History history = train::fit(net, blobs(96, 1), options);
  CHECK(history.stop_reason.starts_with("early stopping:"));
  CHECK(history.epochs.size() < 10);
  CHECK(int64_t(history.epochs.size()) == history.best_epoch + 2);
  CHECK(digest_of(net) == diary->weights.at(size_t(history.best_epoch - 1)));
  CHECK(digest_of(net) != diary->weights.back());
  CHECK(train::evaluate(net, *options.validation).loss ==
        history.epochs[size_t(history.best_epoch - 1)].validation_loss);
}

TEST_CASE("EarlyStopping restores the best weights whatever ended the run", "[train]") {
  const auto diary = std::make_shared<WeightDiary>();
  train::FitOptions options = worsening({diary, train::EarlyStopping({.patience = 100})});
  nn::Sequential net = small_net();
  SECTION("all epochs done") { options.epochs = 5; }
  SECTION("another callback") { diary->stop_after = 5; }
  std::stop_source stop;
  SECTION("a stop by request") {
    options.stop = stop.get_token();
    options.progress = [&](const train::Progress& p) {
      if (p.epoch == 5 && p.batch == 2) stop.request_stop();
    };
  }
  const train::History history = train::fit(net, blobs(96, 1), options);
  CHECK(digest_of(net) == diary->weights.at(size_t(history.best_epoch - 1)));
  CHECK(history.best_epoch < int64_t(history.epochs.size()));
}

TEST_CASE("EarlyStopping: options out of range", "[train]") {
  check_error(
      ErrorKind::usage, [] { train::EarlyStopping({.patience = 0}); }, "patience must be >= 1, got 0");
  check_error(
      ErrorKind::usage, [] { train::EarlyStopping({.min_delta = -1}); }, "min_delta must be >= 0");
}
