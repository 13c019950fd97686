#include "cli/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "uncial/vision/charts.h"

namespace uncial::cli {
namespace {

using vision::GridCell;
namespace palette = vision::palette;

/// How a curve looks.
struct Look {
  vision::Colour colour;
  vision::Marker marker;
};
constexpr Look kTrainingCurve{palette::blue, vision::Marker::disc},
    kValidationCurve{palette::orange, vision::Marker::square};

/// One curve over the epochs.
vision::Series curve(const train::History& history, const std::string& label,
                     double train::EpochRecord::*member, Look look, double factor = 1) {
  vision::Series series{.label = label, .x = {}, .y = {}, .colour = look.colour, .marker = look.marker};
  for (const train::EpochRecord& epoch : history.epochs) {
    series.x.push_back(double(epoch.epoch));
    series.y.push_back(factor * epoch.*member);
  }
  return series;
}

/// Where the axis of accuracies, in %, begins when the first epoch would squeeze all others into a stripe.
std::optional<double> accuracy_floor(const std::vector<vision::Series>& curves) {
  double first = 100, later = 100;
  size_t epochs = 0;
  for (const vision::Series& curve : curves)
    for (size_t i = 0; i < curve.y.size(); ++i) {
      if (!std::isfinite(curve.y[i])) continue;
      (i == 0 ? first : later) = std::min(i == 0 ? first : later, curve.y[i]);
      epochs = std::max(epochs, i + 1);
    }
  const double floor = std::floor(std::min(later, 99.0));
  return epochs >= 4 && 100 - first > 2 * (100 - floor) ? std::optional(floor) : std::nullopt;
}

std::string best_label(const train::History& history) {
  for (const train::EpochRecord& epoch : history.epochs)
    if (epoch.epoch == history.best_epoch)
      return fmt::format("best: epoch {}, {:.2f} %", epoch.epoch, 100 * epoch.validation_accuracy);
  return "";
}

/// Probabilities of sample i.
std::vector<double> probabilities_of(const train::Report& report, int64_t i) {
  const int64_t classes = report.probabilities.size(1);
  const float* row = report.probabilities.data<float>() + i * classes;
  return {row, row + classes};
}

struct Answer {
  int64_t index;
  int truth, guess;
  double confidence;
};

std::vector<Answer> answers(const train::Report& report, const data::Dataset& data) {
  std::vector<Answer> all;
  for (int64_t i = 0; i < data.size(); ++i) {
    const std::vector<double> p = probabilities_of(report, i);
    const auto best = std::max_element(p.begin(), p.end());
    all.push_back({i, data.label(i), int(best - p.begin()), *best});
  }
  return all;
}

GridCell answer_cell(const Answer& answer, const train::Report& report, const data::Dataset& data) {
  const bool right = answer.truth == answer.guess;
  const std::string guess = data.classes()[size_t(answer.guess)],
                    truth = data.classes()[size_t(answer.truth)];
  return {.image = image_of(data, answer.index),
          .caption = right ? fmt::format("{} at {:.1f} %", guess, 100 * answer.confidence)
                           : fmt::format("{} at {:.0f} %, is {}", guess, 100 * answer.confidence, truth),
          .caption_colour = right ? palette::black : palette::red,
          .bars = probabilities_of(report, answer.index),
          .true_class = answer.truth,
          .predicted_class = answer.guess};
}

}  // namespace

Tensor image_of(const data::Dataset& data, int64_t index) {
  const auto [images, labels] = data.range(index, 1);
  const Shape shape = data.sample_shape();
  Tensor image = zeros({shape[1], shape[2]});
  std::copy_n(images.data<float>(), image.size(), image.data<float>());
  return image;
}

vision::Canvas history_figure(const train::History& history, const std::string& network,
                              TrainedOn trained_on) {
  using Record = train::EpochRecord;
  const auto best = history.best_epoch > 0 ? std::optional<double>(double(history.best_epoch)) : std::nullopt;
  const std::string of_images = trained_on.augmented ? "training (augmented)" : "training",
                    of_labels = trained_on.smoothed_labels ? "training (smoothed labels)" : of_images;
  const vision::LineChart loss{
      .title = network + ": loss",
      .x_label = "epoch",
      .y_label = "cross-entropy",
      .series = {curve(history, of_labels, &Record::loss, kTrainingCurve),
                 curve(history, "validation", &Record::validation_loss, kValidationCurve)},
      .marked_x = best,
      .mark_label = best ? fmt::format("best: epoch {}", history.best_epoch) : ""};
  vision::LineChart accuracy{
      .title = network + ": accuracy",
      .x_label = "epoch",
      .y_label = "accuracy, %",
      .series = {curve(history, of_images, &Record::accuracy, kTrainingCurve, 100),
                 curve(history, "validation", &Record::validation_accuracy, kValidationCurve, 100)},
      .marked_x = best,
      .mark_label = best_label(history)};
  if (const auto floor = accuracy_floor(accuracy.series)) {
    accuracy.y_low = *floor;
    accuracy.y_label += fmt::format(" (from {:g})", *floor);
  }
  return vision::chart_figure({loss, accuracy});
}

vision::Canvas prediction_figure(const train::Report& report, const data::Dataset& data) {
  constexpr size_t kColumns = 6, kRight = 12, kWrong = 18;
  std::vector<Answer> right, wrong;
  for (const Answer& answer : answers(report, data))
    (answer.truth == answer.guess ? right : wrong).push_back(answer);
  const auto surer = [](const Answer& a, const Answer& b) { return a.confidence > b.confidence; };
  std::stable_sort(wrong.begin(), wrong.end(), surer);
  // Right answers of every degree of confidence: evenly spaced in the order of confidence, the surest ones
  // first.
  std::stable_sort(right.begin(), right.end(), surer);
  std::vector<GridCell> cells;
  std::vector<vision::GridHeading> headings;
  const auto begin_part = [&](const std::string& text) {
    while (cells.size() % kColumns != 0) cells.emplace_back();  // each part begins a row
    headings.push_back({int(cells.size() / kColumns), text});
  };
  if (!right.empty())
    begin_part(fmt::format("Right: {} of {} images, from sure to unsure", right.size(), data.size()));
  for (size_t i = 0; i < std::min(kRight, right.size()); ++i) {
    const double share = double(i) / double(kRight - 1);  // squared twice: most are near certain
    const size_t place = size_t((1 - std::pow(1 - share, 4)) * double(right.size() - 1));
    cells.push_back(answer_cell(right[place], report, data));
  }
  if (!wrong.empty())
    begin_part(fmt::format("Wrong: {} of {} images, the surest first", wrong.size(), data.size()));
  for (size_t i = 0; i < std::min(kWrong, wrong.size()); ++i)
    cells.push_back(answer_cell(wrong[i], report, data));
  return vision::image_grid(
      cells, {.title = "Answers on test images",
              .columns = int(kColumns),
              .cell = 84,
              .note = "Bars: the probability of each class. Blue is the true class, orange a wrong answer.",
              .headings = headings});
}

std::vector<int64_t> first_of_each_class(const data::Dataset& data, int count) {
  std::vector<std::vector<int64_t>> by_class(data.classes().size());
  for (int64_t i = 0; i < data.size(); ++i)
    if (auto& found = by_class[size_t(data.label(i))]; int(found.size()) < count) found.push_back(i);
  std::vector<int64_t> all;
  for (const auto& found : by_class) all.insert(all.end(), found.begin(), found.end());
  return all;
}

vision::Canvas sample_figure(const data::Dataset& data, int columns) {
  std::vector<GridCell> cells;
  for (const int64_t i : first_of_each_class(data, columns)) cells.push_back({.image = image_of(data, i)});
  return vision::image_grid(
      cells, {.title = fmt::format("{}: the first {} images of each class", data.name(), columns),
              .columns = columns,
              .cell = 56,
              .row_labels = data.classes()});
}

vision::Canvas augmentation_figure(const data::Dataset& data, const vision::Augment& augment,
                                   const std::string& description, uint64_t seed, int rows, int columns) {
  std::vector<int64_t> originals = first_of_each_class(data, 1);
  originals.resize(std::min(originals.size(), size_t(rows)));
  std::vector<GridCell> cells;
  for (const int64_t i : originals) {
    cells.push_back({.image = image_of(data, i)});
    for (int draw = 1; draw < columns; ++draw) {
      const auto [image, label] = data.range(i, 1);
      if (augment) augment->apply(image, {data.source_index(i)}, {.seed = seed, .epoch = draw});
      cells.push_back({.image = image.reshape({image.size(2), image.size(3)})});
    }
  }
  return vision::image_grid(cells, {.title = "What augmentation makes of training images",
                                    .columns = columns,
                                    .cell = 60,
                                    .note = "Left: as they are. Right: " + description + ".",
                                    .lead_columns = 1});
}

}  // namespace uncial::cli
