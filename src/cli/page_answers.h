#pragma once
/// Right and wrong answers to a data set, as the page shows them.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/page_info.h"
#include "uncial/data/dataset.h"
#include "uncial/train/evaluate.h"
#include "uncial/vision/augment.h"

namespace uncial::cli {

/// {"confusion": ..., "samples": ...} of src/cli/page/README.md; `of` is what `data` is called.
nlohmann::ordered_json answers_json(const train::Report& report, const data::Dataset& data,
                                    const std::string& of);

/// The first image of each class.
std::vector<LabelledImage> example_images(const data::Dataset& data);

/// For the first image of each of `rows` classes: itself and `draws` draws of `augment`, which may be empty.
std::vector<std::vector<ImageBytes>> augmented_images(const data::Dataset& data,
                                                      const vision::Augment& augment, uint64_t seed, int rows,
                                                      int draws);

}  // namespace uncial::cli
