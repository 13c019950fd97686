#pragma once
/// The pictures that several programs draw.

#include <string>
#include <vector>

#include "uncial/data/dataset.h"
#include "uncial/train/evaluate.h"
#include "uncial/train/history.h"
#include "uncial/vision/augment.h"
#include "uncial/vision/canvas.h"

namespace uncial::cli {

/// One image of a data set as (H, W) float32 in [0, 1].
Tensor image_of(const data::Dataset& data, int64_t index);

/// What the figures of training were measured on, other than images and labels as they are.
struct TrainedOn {
  bool augmented = false, smoothed_labels = false;
};
/// Loss and accuracy over the epochs; the best epoch is marked.
vision::Canvas history_figure(const train::History& history, const std::string& network,
                              TrainedOn trained_on = {});
/// A few right and the most confident wrong answers, each with its probabilities.
vision::Canvas prediction_figure(const train::Report& report, const data::Dataset& data);
/// `columns` samples of each class, a row a class.
vision::Canvas sample_figure(const data::Dataset& data, int columns);
/// Originals in the first column, and draws of `augment`, which `description` describes, in the others.
vision::Canvas augmentation_figure(const data::Dataset& data, const vision::Augment& augment,
                                   const std::string& description, uint64_t seed, int rows, int columns);
/// Positions of the first `count` samples of each class, class by class.
std::vector<int64_t> first_of_each_class(const data::Dataset& data, int count);

}  // namespace uncial::cli
