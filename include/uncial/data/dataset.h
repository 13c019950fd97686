#pragma once
/// @file dataset.h
/// Labelled images in memory, and splitting them.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::data {

/// Options of Dataset::split().
struct SplitOptions {
  int64_t validation = 5'000;  ///< samples of the second part
  uint64_t seed = 1;           ///< which ones: a pure function of (seed, labels)
};

/// Options of Dataset::split_three().
struct SplitThreeOptions {
  int64_t validation = 5'000;  ///< samples of the second part
  int64_t test = 10'000;       ///< samples of the third part
  uint64_t seed = 1;
};

struct ThreeParts;

/// N images of one size with a class each. Copies share the pixels; a subset is a list of indices into them.
class Dataset {
 public:
  Dataset() = default;
  /// images (N, C, H, W) uint8, 0 = paper, 255 = ink; labels (N) uint8. `classes` names the labels in order.
  /// Throws Error(data) when counts differ, N is 0, an extent is 0, or a label has no class.
  Dataset(std::string name, Tensor images, Tensor labels, std::vector<std::string> classes);

  const std::string& name() const { return name_; }
  int64_t size() const { return int64_t(indices_.size()); }
  const std::vector<std::string>& classes() const { return classes_; }
  /// (C, H, W)
  Shape sample_shape() const;
  /// Position of sample i in the data set it was cut from: what augmentation and dropout are keyed by.
  int64_t source_index(int64_t i) const { return indices_[size_t(i)]; }
  /// Pixels of sample i: C*H*W bytes, row-major.
  const uint8_t* pixels(int64_t i) const;
  int label(int64_t i) const;
  /// Samples i0, i1, ... of this one, sharing the pixels.
  Dataset subset(const std::vector<int64_t>& positions) const;
  /// The first `count` samples.
  Dataset take(int64_t count) const;
  /// (rest, validation), stratified: each class keeps its share in both parts within one sample.
  /// Both keep their samples in source order. Throws a usage Error unless 0 < validation < size().
  std::pair<Dataset, Dataset> split(const SplitOptions& options = {}) const;
  /// (train, validation, test), stratified like split(), for data sets that come in one piece.
  /// Throws a usage Error unless both sizes are positive and together smaller than size().
  ThreeParts split_three(const SplitThreeOptions& options = {}) const;
  /// Samples of each class.
  std::vector<int64_t> class_counts() const;
  /// Fingerprint (SHA-256 hex) of images, labels and indices: a checkpoint names the data it was made with.
  std::string fingerprint() const;
  /// Images as (B, C, H, W) float32 in [0, 1] (the byte / 255) and labels as int64 (B), for the given
  /// positions, in fresh memory. Throws a usage Error when a position is outside [0, size()).
  std::pair<Tensor, Tensor> gather(std::span<const int64_t> positions) const;
  /// The same for positions [first, first + count).
  std::pair<Tensor, Tensor> range(int64_t first, int64_t count) const;

 private:
  std::string name_;
  Tensor images_, labels_;
  std::vector<std::string> classes_;
  std::vector<int64_t> indices_;
};

/// What split_three() returns.
struct ThreeParts {
  Dataset train, validation, test;
};

/// The two parts that image data sets come in.
struct Splits {
  Dataset train, test;
};

}  // namespace uncial::data
