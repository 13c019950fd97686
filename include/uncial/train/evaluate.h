#pragma once
/// @file evaluate.h
/// How good a classifier is.

#include <cstdint>
#include <string>
#include <vector>

#include "uncial/core/precision.h"
#include "uncial/data/dataset.h"
#include "uncial/nn/module.h"

namespace uncial::train {

/// Options of evaluate() and predict().
struct EvaluateOptions {
  int64_t batch = 500;
  int top_k = 3;
  int calibration_bins = 15;
  Precision precision = Precision::float32;  ///< of the net, not of the figures
};

struct ClassReport {
  std::string name;
  int64_t count = 0;  ///< samples that truly are of this class
  double precision = 0, recall = 0, f1 = 0;
};

/// Figures of a classifier on a data set.
struct Report {
  int64_t samples = 0, errors = 0;
  double loss = 0, accuracy = 0;
  double accuracy_low = 0, accuracy_high = 0;  ///< 95 % interval (Wilson, 1927)
  double top_k_accuracy = 0;
  double calibration_error = 0;  ///< expected calibration error over equal bins (Naeini et al., 2015)
  Tensor confusion;              ///< (classes, classes) int64: rows true, columns predicted
  Tensor probabilities;          ///< (N, classes) float32
  std::vector<ClassReport> classes;

  /// "test accuracy 99.43 % (95 % interval 99.26-99.56), loss 0.0171, 57 errors in 10000"
  std::string line() const;
  std::string json() const;
};

/// Loss, accuracy and the rest, in eval mode. Throws a usage Error when the set is empty or does not fit the
/// net.
Report evaluate(const nn::Module& net, const data::Dataset& data, const EvaluateOptions& options = {});

/// The same from the net's output for `data` that is there already: logits (N, classes), float.
Report evaluate(const Tensor& logits, const data::Dataset& data, const EvaluateOptions& options = {});

/// Class probabilities (N, classes) of images (N, C, H, W) in [0, 1].
Tensor predict(const nn::Module& net, const Tensor& images, const EvaluateOptions& options = {});

/// Share of samples whose largest logit is their label.
double accuracy(const nn::Module& net, const data::Dataset& data);

/// Wilson's 95 % interval of a share of `hits` in `total`.
std::pair<double, double> wilson_interval(int64_t hits, int64_t total);

}  // namespace uncial::train
