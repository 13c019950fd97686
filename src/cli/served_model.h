#pragma once
/// The network that a page asks: a copy, so that the one in training is left alone.

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "cli/look.h"
#include "uncial/nn/module.h"

namespace uncial::cli {

/// On the host, in float32. For any number of threads.
class ServedModel {
 public:
  explicit ServedModel(const nn::Module& net);
  /// Copies the values (of state_dict()); the next answer is of them. Does not wait for an answer under way.
  void take_weights(const nn::NamedTensors& weights);
  /// look_json() of 28 x 28 pixels.
  std::string answer(std::span<const uint8_t> pixels);

 private:
  std::mutex handing_over_, asking_;
  nn::NamedTensors next_;  ///< guarded by handing_over_; empty: none
  std::shared_ptr<nn::Module> net_;
  Looker look_;
};

/// A copy of `net` on the host, in float32.
std::shared_ptr<nn::Module> host_copy(const nn::Module& net);
/// Copies of `tensors` on the host.
nn::NamedTensors host_copies(const nn::NamedTensors& tensors);

}  // namespace uncial::cli
