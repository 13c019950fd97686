#include "cli/page_answers.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/base64.h"
#include "cli/figures.h"

namespace uncial::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostWrong = 12, kMostRight = 6;

ImageBytes bytes_of(const data::Dataset& data, int64_t index) {
  const uint8_t* pixels = data.pixels(index);
  return {pixels, pixels + count(data.sample_shape())};
}

ImageBytes bytes_of(const Tensor& image) {
  const Tensor values = image.contiguous();
  ImageBytes bytes;
  for (const float v : values.span<float>())
    bytes.push_back(uint8_t(std::lround(255 * std::clamp(v, 0.0f, 1.0f))));
  return bytes;
}

struct Answer {
  int64_t index;
  float confidence;
  bool right;
};

std::vector<Answer> answers_by_confidence(const train::Report& report, const data::Dataset& data) {
  const int64_t classes = report.probabilities.size(1);
  const float* all = report.probabilities.data<float>();
  std::vector<Answer> answers;
  for (int64_t i = 0; i < data.size(); ++i) {
    const float* row = all + i * classes;
    const float* best = std::max_element(row, row + classes);
    answers.push_back({i, *best, int(best - row) == data.label(i)});
  }
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Answer& a, const Answer& b) { return a.confidence > b.confidence; });
  return answers;
}

/// The surest errors, then the least sure of the right answers.
std::vector<int64_t> shown_answers(const std::vector<Answer>& sorted) {
  std::vector<int64_t> shown;
  for (auto a = sorted.begin(); a != sorted.end() && shown.size() < kMostWrong; ++a)
    if (!a->right) shown.push_back(a->index);
  const size_t wrong = shown.size();
  for (auto a = sorted.rbegin(); a != sorted.rend() && shown.size() < wrong + kMostRight; ++a)
    if (a->right) shown.push_back(a->index);
  return shown;
}

}  // namespace

Json answers_json(const train::Report& report, const data::Dataset& data, const std::string& of) {
  const int64_t classes = report.probabilities.size(1);
  Json counts = Json::array(), list = Json::array();
  for (int64_t truth = 0; truth < classes; ++truth) {
    const int64_t* row = report.confusion.data<int64_t>() + truth * classes;
    counts.push_back(std::vector<int64_t>(row, row + classes));
  }
  for (const int64_t i : shown_answers(answers_by_confidence(report, data))) {
    const float* row = report.probabilities.data<float>() + i * classes;
    list.push_back({{"label", data.label(i)},
                    {"pixels", base64(bytes_of(data, i))},
                    {"probabilities", std::vector<float>(row, row + classes)}});
  }
  return {{"confusion", {{"of", of}, {"counts", std::move(counts)}}},
          {"samples",
           {{"of", of}, {"count", report.samples}, {"errors", report.errors}, {"list", std::move(list)}}}};
}

std::vector<LabelledImage> example_images(const data::Dataset& data) {
  std::vector<LabelledImage> examples;
  for (const int64_t i : first_of_each_class(data, 1))
    examples.push_back({.label = data.label(i), .pixels = bytes_of(data, i)});
  return examples;
}

std::vector<std::vector<ImageBytes>> augmented_images(const data::Dataset& data,
                                                      const vision::Augment& augment, uint64_t seed, int rows,
                                                      int draws) {
  std::vector<int64_t> originals = first_of_each_class(data, 1);
  originals.resize(std::min(originals.size(), size_t(rows)));
  std::vector<std::vector<ImageBytes>> all;
  for (const int64_t i : originals) {
    std::vector<ImageBytes> row{bytes_of(data, i)};
    for (int draw = 1; augment && draw <= draws; ++draw) {
      const Tensor image = data.range(i, 1).first;
      augment->apply(image, {data.source_index(i)}, {.seed = seed, .epoch = draw});
      row.push_back(bytes_of(image));
    }
    all.push_back(std::move(row));
  }
  return all;
}

}  // namespace uncial::cli
