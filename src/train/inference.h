#pragma once
// Running a classifier over many samples, for validation, evaluate() and predict().

#include "train/feed.h"
#include "uncial/data/dataset.h"
#include "uncial/nn/module.h"
#include "uncial/program/compile.h"

namespace uncial::train {

/// Samples at a time in validation: what EvaluateOptions has as its default.
inline constexpr int64_t kEvaluationBatch = 500;

/// A net in eval mode behind a recorded program, which reads the net's tensors as they are at each call:
/// change weights in place between calls as you like. The net must outlive it, and stay on its device.
class Inference {
 public:
  explicit Inference(const nn::Module& net, Precision precision = Precision::float32);
  /// images (N, C, H, W) -> logits (N, classes) in memory of its own, `batch` samples at a time.
  Tensor logits(const Tensor& images, int64_t batch);
  /// The same for all samples of a data set that lies on the net's device.
  Tensor logits(Feed& feed, int64_t batch);
  /// The same for a whole data set, gathered batch by batch.
  Tensor logits(const data::Dataset& data, int64_t batch);

 private:
  Device device_;
  nn::Context context_;
  Compiled step_;
};

/// Throws a usage Error in the name of `what` unless the net maps one image of `data` to one number a class.
void require_net_fits(std::string_view what, const nn::Module& net, const data::Dataset& data);
/// Throws a usage Error unless `logits` is (n, classes); classes < 0: any number.
void require_logits(std::string_view what, const Tensor& logits, int64_t n, int64_t classes);

/// All labels of `data`, int64 (N).
Tensor labels_of(const data::Dataset& data);

/// Mean cross-entropy and number of hits (the first largest logit is the label), summed in float64 in the
/// order of the samples, so that only the logits' own rounding can depend on the batch size.
struct Score {
  double loss = 0;
  int64_t hits = 0;
};
Score score(const Tensor& logits, const Tensor& labels);

}  // namespace uncial::train
