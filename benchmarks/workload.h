#pragma once
// What bench_net times: one network, one task, made of what any user of the library would write.

#include <memory>
#include <string>

#include "nets.h"
#include "uncial/data/dataset.h"
#include "uncial/optim/loss_scale.h"
#include "uncial/program/compile.h"

namespace uncial::bench {

/// The harness's synthetic data: float32 images of random bytes / 255 and int64 labels, all in the device's
/// memory before the clock starts; a batch is a window on consecutive samples, so making one copies nothing.
class Samples {
 public:
  Samples(const Shape& sample, int64_t count, Device device = Device::cpu());
  int64_t size() const { return images_.size(0); }
  Tensor images(int64_t step, int64_t batch) const { return window(images_, step, batch); }
  Tensor labels(int64_t step, int64_t batch) const { return window(labels_, step, batch); }
  /// Source indices: what dropout is keyed by, so that every batch draws masks of its own.
  Tensor indices(int64_t step, int64_t batch) const { return window(indices_, step, batch); }

 private:
  Tensor window(const Tensor& all, int64_t step, int64_t batch) const;
  Tensor images_, labels_, indices_;
};

/// The same kind of samples as bytes, as data sets come.
data::Dataset byte_samples(const Shape& sample, int64_t count);

/// A recorded training step with Adam at 1e-3: forward, loss, backward, update; in float16 with a scaled
/// loss. Or several of them, each with a batch of its own, recorded as one.
class TrainingStep {
 public:
  explicit TrainingStep(nn::Module& net, Precision precision = Precision::float32, int64_t unroll = 1);
  /// Takes `unroll` steps of `batch` samples each. Returns the last loss, overwritten by the next call.
  Tensor operator()(const Samples& samples, int64_t step, int64_t batch);
  const Compiled& compiled() const { return step_; }

 private:
  void backward_and_update(const Tensor& loss);

  nn::Module& net_;
  optim::Adam adam_;
  int64_t unroll_;
  std::unique_ptr<optim::LossScale> scale_;  ///< in float16
  nn::Context context_{nn::Mode::train};
  Compiled step_;
};

/// A recorded forward pass in eval mode; or several of them, each with a batch of its own, recorded as one.
class InferenceStep {
 public:
  explicit InferenceStep(const nn::Module& net, Precision precision = Precision::float32, int64_t unroll = 1);
  /// Takes `unroll` batches. Returns the last (N, 10) logits, overwritten by the next call.
  Tensor operator()(const Tensor& images);
  const Compiled& compiled() const { return step_; }

 private:
  nn::Context context_{nn::Mode::eval};
  Compiled step_;
};

}  // namespace uncial::bench
