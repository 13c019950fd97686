#include "cli/served_training.h"

#include <cmath>
#include <exception>
#include <utility>

#include "cli/page_answers.h"

namespace uncial::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kBetweenNews{250};
constexpr int64_t kMostPoints = 400;  // of a curve

/// null for what is not known (yet).
Json known(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json history_json(const train::History& history) {
  Json list = Json::array();
  for (const train::EpochRecord& epoch : history.epochs)
    list.push_back({{"epoch", epoch.epoch},
                    {"loss", known(epoch.loss)},
                    {"accuracy", known(epoch.accuracy)},
                    {"validation_loss", known(epoch.validation_loss)},
                    {"validation_accuracy", known(epoch.validation_accuracy)},
                    {"seconds", epoch.seconds}});
  return list;
}

}  // namespace

ServedTraining::ServedTraining(ServedModel& model, ServeHub& hub, const data::Dataset& validation)
    : model_(model), hub_(hub), validation_(validation), checker_([this] { check_answers(); }) {}

ServedTraining::~ServedTraining() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  checker_.join();
}

void ServedTraining::on_begin(const std::string& label) {
  points_ = Json::array();
  last_point_ = {};
  published_ = {};
  hub_.update({{"phase", "training"}, {"label", label}, {"steps", points_}, {"history", Json::array()}});
}

void ServedTraining::on_progress(const nn::Module& net, const train::Progress& progress) {
  add_point(progress);
  const Clock::time_point now = Clock::now();
  if (now - published_ < kBetweenNews && !progress.finished) return;
  published_ = now;
  hub_.update({{"epoch", progress.epoch},
               {"epochs", progress.epochs},
               {"batch", progress.batch},
               {"batches", progress.batches},
               {"loss", known(progress.loss)},
               {"accuracy", known(progress.accuracy)},
               {"lr", progress.lr},
               {"samples_per_second", known(progress.samples_per_second)},
               {"steps", points_}});
  if (!progress.finished) hand_over(net.state_dict());
}

/// The means since the point before, out of running means of the epoch.
void ServedTraining::add_point(const train::Progress& progress) {
  if (progress.finished || !std::isfinite(progress.loss)) return;
  const bool same_epoch = last_point_.epoch == progress.epoch;
  const int64_t before = same_epoch ? last_point_.batch : 0, steps = progress.batch - before;
  const bool last = progress.batch == progress.batches;
  if (steps <= 0 || (steps * kMostPoints < progress.epochs * progress.batches && !last)) return;
  const auto mean_since = [&](double now, double then) {
    return (now * double(progress.batch) - (same_epoch ? then * double(before) : 0)) / double(steps);
  };
  points_.push_back({double(progress.epoch - 1) + double(progress.batch) / double(progress.batches),
                     mean_since(progress.loss, last_point_.loss),
                     mean_since(progress.accuracy, last_point_.accuracy)});
  last_point_ = progress;
}

void ServedTraining::hand_over(const nn::NamedTensors& weights) {
  if (hub_.readers() == 0) return;
  model_.take_weights(weights);
  hub_.update({{"weights", ++copies_}});
}

void ServedTraining::on_epoch(const train::EpochView& view) {
  hub_.update({{"history", history_json(view.history)}});
  hand_over(view.weights);
  if (hub_.readers() == 0) return;
  std::shared_ptr<nn::Module> net = host_copy(view.net);  // which has these weights now
  {
    const std::lock_guard lock(mutex_);
    to_check_ = std::move(net);
    complete_ = false;
  }
  wake_.notify_all();
}

void ServedTraining::check_answers() {
  for (;;) {
    std::shared_ptr<nn::Module> net;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return closing_ || to_check_; });
      if (closing_) return;
      net = std::exchange(to_check_, nullptr);
    }
    try {
      const Json answers = answers_json(train::evaluate(*net, validation_), validation_, "validation images");
      const std::lock_guard lock(mutex_);
      if (!complete_) hub_.update(answers);
    } catch (const std::exception&) {
      // Weights that diverge are fit()'s to report; the page keeps the answers of the epoch before.
    }
  }
}

void ServedTraining::complete(const nn::Module& net, const train::Report& report, const data::Dataset& test) {
  {
    const std::lock_guard lock(mutex_);
    to_check_ = nullptr;
    complete_ = true;
  }
  model_.take_weights(net.state_dict());
  Json parts = answers_json(report, test, "test images");
  parts["test_accuracy"] = report.accuracy;
  parts["weights"] = ++copies_;
  hub_.update(parts);
}

void ServedTraining::end(const std::string& phase) { hub_.update({{"phase", phase}}); }

}  // namespace uncial::cli
