#include "train/trainer.h"

#include "train/state.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

namespace uncial::train {

Trainer::Trainer(nn::Module& net, const FitOptions& options)
    : net_(net),
      label_smoothing_(options.label_smoothing),
      clip_norm_(options.clip_norm),
      optimizer_(options.optimizer.bind(net.parameters())) {
  if (options.average > 0)
    averages_ = std::make_unique<optim::AveragedWeights>(net.parameters(), options.average);
  if (options.precision == Precision::fp16)
    loss_scale_ = std::make_unique<optim::LossScale>(net.device(), options.loss_scale);
  context_.set_seed(options.seed);
  context_.set_precision(options.precision);
  if (options.record) compiled_ = compile([this](const Tensors& inputs) { return run(inputs); });
  optimizer_->zero_grad();  // what somebody left in grad() is not part of this run
}

Trainer::Pass Trainer::learn(const data::Batch& batch) {
  context_.set_samples(batch.indices);
  const Tensor logits = context_.run("", net_, batch.images);
  const Tensor loss = cross_entropy(logits, batch.labels, {.label_smoothing = label_smoothing_});
  if (inspect_) (*inspect_)("loss", loss);
  apply_gradients(loss);
  context_.apply_updates();
  if (averages_) averages_->update();
  optimizer_->zero_grad();
  if (inspect_) inspect_parameters("parameter ", false);
  return {loss.detach(), logits.detach()};
}

void Trainer::apply_gradients(const Tensor& loss) {
  Tensor unscale;
  if (loss_scale_) {
    loss.backward(loss_scale_->factor());
    loss_scale_->update(optimizer_->parameters());
    unscale = loss_scale_->unscale();
  } else {
    loss.backward();
  }
  // Gradients of a step that is skipped are not to blame for anything.
  if (inspect_ && !(loss_scale_ && unscale.item() == 0)) inspect_parameters("gradient of ", true);
  if (clip_norm_ > 0) optim::clip_grad_norm(optimizer_->parameters(), clip_norm_, unscale);
  optimizer_->step(unscale);
}

/// {images, labels, sample indices} -> {loss, correct}.
Tensors Trainer::run(const Tensors& inputs) {
  const Pass pass = learn({inputs[0], inputs[1], inputs[2]});
  return {pass.loss, sum(equal(argmax(pass.logits), inputs[1]))};
}

Trainer::Result Trainer::step(const data::Batch& batch, int64_t epoch, double lr) {
  begin_epoch(epoch);
  context_.set_step(optimizer_->steps());
  optimizer_->set_lr(lr);
  const Device device = net_.device();
  const Tensors inputs = {batch.images.to(device), batch.labels.to(device), batch.indices.to(device)};
  const Tensors outputs = compiled_ && !inspect_ ? (*compiled_)(inputs) : run(inputs);
  return {outputs[0].item(), outputs[1].item<int64_t>()};
}

void Trainer::begin_epoch(int64_t epoch) {
  if (context_.epoch() != epoch) context_.set_epoch(epoch);  // waits for a GPU
}

void Trainer::restart(uint64_t seed) {
  const NoGrad no_grad;
  context_.set_seed(seed);
  for (const auto& [name, tensor] : optimizer_->state())
    if (name != "lr") tensor.fill_(0);
  if (averages_) averages_->restart();
  if (loss_scale_) loss_scale_->restart();
}

void Trainer::fed_steps(Feed& feed, int64_t count, int64_t steps) {
  const auto step = [this, &feed, count](const Tensors&) {
    const data::Batch batch = feed.take(count, optimizer_->rate());
    const Pass pass = learn(batch);
    feed.tally(pass.logits, batch.labels, pass.loss);
    return Tensors{};
  };
  fed_.try_emplace(count, step).first->second.repeat({}, steps);
}

Trainer::Result Trainer::inspected_step(const data::Batch& batch, int64_t epoch, double lr,
                                        const Inspect& inspect) {
  inspect("images of the batch (after augmentation)", batch.images);
  inspect_ = &inspect;
  context_.set_observer(
      [&](const std::string& path, const nn::Module& module, const Tensor&, const Tensor& output) {
        inspect(join("activation of ", path.empty() ? "the net" : path, " (", module.kind(), ")"), output);
      });
  const Result result = step(batch, epoch, lr);
  context_.set_observer({});
  inspect_ = nullptr;
  return result;
}

void Trainer::inspect_parameters(std::string_view what, bool gradients) const {
  for (const auto& [path, parameter] : net_.named_parameters())
    if (const Tensor tensor = gradients ? parameter.grad() : parameter; tensor.defined())
      (*inspect_)(join(what, path), tensor);
}

nn::NamedTensors Trainer::state() const {
  nn::NamedTensors all = with_prefix("net.", net_.state_dict());
  append(all, with_prefix("optimizer.", optimizer_->state()));
  if (averages_) append(all, with_prefix("average.", averages_->state()));
  if (loss_scale_) append(all, with_prefix("loss_scale.", loss_scale_->state()));
  return all;
}

void Trainer::load_state(const nn::NamedTensors& state) {
  net_.load_state_dict(under_prefix("net.", state));
  optimizer_->load_state(under_prefix("optimizer.", state));
  if (averages_) averages_->load_state(under_prefix("average.", state));
  if (loss_scale_) loss_scale_->load_state(under_prefix("loss_scale.", state));
}

}  // namespace uncial::train
