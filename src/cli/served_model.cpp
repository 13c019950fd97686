#include "cli/served_model.h"

#include <utility>

namespace uncial::cli {

ServedModel::ServedModel(const nn::Module& net) : net_(host_copy(net)), look_(net_) {}

void ServedModel::take_weights(const nn::NamedTensors& weights) {
  nn::NamedTensors copies = host_copies(weights);
  const std::lock_guard lock(handing_over_);
  next_ = std::move(copies);
}

std::string ServedModel::answer(std::span<const uint8_t> pixels) {
  const std::lock_guard one_at_a_time(asking_);
  nn::NamedTensors weights;
  {
    const std::lock_guard lock(handing_over_);
    weights = std::exchange(next_, {});
  }
  if (!weights.empty()) net_->load_state_dict(weights);
  return look_json(look_(pixels));
}

std::shared_ptr<nn::Module> host_copy(const nn::Module& net) {
  std::shared_ptr<nn::Module> copy = net.clone();
  copy->to(Device::cpu()).to(DType::float32);
  return copy;
}

nn::NamedTensors host_copies(const nn::NamedTensors& tensors) {
  nn::NamedTensors copies;
  for (const auto& [name, tensor] : tensors) {
    const Tensor here = tensor.detach().to(Device::cpu());
    copies.emplace_back(name, here.storage() == tensor.storage() ? here.clone() : here);
  }
  return copies;
}

}  // namespace uncial::cli
