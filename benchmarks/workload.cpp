#include "workload.h"

#include "uncial/autograd/grad_mode.h"
#include "uncial/core/random.h"
#include "uncial/ops/ops.h"

namespace uncial::bench {
namespace {

constexpr int64_t kClasses = 10;

/// A cheap random byte for each index: 47 million of them must not take longer than what is measured.
uint8_t random_byte(uint64_t index) {
  index = (index + 1) * 0x9e3779b97f4a7c15ull;
  return uint8_t((index ^ index >> 29) * 0xbf58476d1ce4e5b9ull >> 56);
}

}  // namespace

Samples::Samples(const Shape& sample, int64_t count, Device device)
    : images_(empty({count, sample[0], sample[1], sample[2]})),
      labels_(empty({count}, DType::int64)),
      indices_(arange(0, double(count))) {
  uint64_t index = 0;
  for (float& pixel : images_.span<float>()) pixel = float(random_byte(index++)) / 255;
  for (int64_t& label : labels_.span<int64_t>()) label = random_byte(index++) % kClasses;
  for (Tensor* all : {&images_, &labels_, &indices_}) *all = all->to(device);
}

Tensor Samples::window(const Tensor& all, int64_t step, int64_t batch) const {
  const int64_t first = step % (size() / batch) * batch;
  return all.slice(0, {.start = first, .stop = first + batch});
}

data::Dataset byte_samples(const Shape& sample, int64_t count) {
  const Tensor images = empty({count, sample[0], sample[1], sample[2]}, DType::uint8);
  const Tensor labels = empty({count}, DType::uint8);
  uint64_t index = 0;
  for (uint8_t& pixel : images.span<uint8_t>()) pixel = random_byte(index++);
  for (uint8_t& label : labels.span<uint8_t>()) label = random_byte(index++) % kClasses;
  return data::Dataset("synthetic", images, labels, {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TrainingStep::TrainingStep(nn::Module& net, Precision precision, int64_t unroll)
    : net_(net),
      adam_(net.parameters(), {.lr = 1e-3}),
      unroll_(unroll),
      step_(compile([this](const Tensors& in) {
        const int64_t batch = in[0].size(0) / unroll_;
        Tensor loss;
        for (int64_t i = 0; i < unroll_; ++i) {
          const Slice window{.start = i * batch, .stop = (i + 1) * batch};
          context_.set_samples(in[2].slice(0, window));
          loss = cross_entropy(context_.run("", net_, in[0].slice(0, window)), in[1].slice(0, window));
          backward_and_update(loss);
          context_.apply_updates();
          adam_.zero_grad();
        }
        return Tensors{loss.detach()};
      })) {
  context_.set_seed(1);
  context_.set_precision(precision);
  if (precision == Precision::fp16) scale_ = std::make_unique<optim::LossScale>(net.device());
  adam_.zero_grad();
}

void TrainingStep::backward_and_update(const Tensor& loss) {
  if (!scale_) {
    loss.backward();
    return adam_.step();
  }
  loss.backward(scale_->factor());
  scale_->update(adam_.parameters());
  adam_.step(scale_->unscale());
}

Tensor TrainingStep::operator()(const Samples& samples, int64_t step, int64_t batch) {
  batch *= unroll_;
  return step_({samples.images(step, batch), samples.labels(step, batch), samples.indices(step, batch)})[0];
}

InferenceStep::InferenceStep(const nn::Module& net, Precision precision, int64_t unroll)
    : step_(compile([this, &net, unroll](const Tensors& in) {
        const NoGrad no_grad;
        const int64_t batch = in[0].size(0) / unroll;
        Tensors logits;
        for (int64_t i = 0; i < unroll; ++i)
          logits.push_back(
              context_.run("", net, in[0].slice(0, {.start = i * batch, .stop = (i + 1) * batch})));
        return logits;
      })) {
  context_.set_precision(precision);
}

Tensor InferenceStep::operator()(const Tensor& images) { return step_({images}).back(); }

}  // namespace uncial::bench
