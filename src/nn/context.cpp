#include "uncial/nn/context.h"

#include <optional>

#include "core/device_memory.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/origin.h"
#include "uncial/core/random.h"
#include "uncial/nn/module.h"
#include "uncial/ops/elementwise.h"

namespace uncial::nn {
namespace {

/// Overwrites one number of a key. Host state, not an operator: recorded steps read it anew at each replay.
void overwrite(const Tensor& key, size_t place, int64_t value) {
  if (key.device().is_cpu())
    key.data<int64_t>()[place] = value;
  else
    cuda::copy(key.view().as<int64_t>() + place, key.device(), &value, Device::cpu(), sizeof value);
  key.mark_changed();
}

/// 0, 1, ... made without an operator: a recorded step must not hold one on another device.
Tensor numbers(int64_t count, Device device) {
  const Tensor here = arange(0, double(count));
  if (device.is_cpu()) return here;
  const Tensor there = empty(here.shape(), here.dtype(), device);
  cuda::copy(there.view().data, device, here.view().data, here.device(), here.bytes());
  return there;
}

/// Appends a name to a path and takes it off again, also when a module throws.
class PathScope {
 public:
  PathScope(std::string& path, const std::string& name) : path_(path), length_(path.size()) {
    if (name.empty()) return;
    if (!path.empty()) path += '.';
    path += name;
  }
  ~PathScope() { path_.resize(length_); }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;

 private:
  std::string& path_;
  size_t length_;
};

}  // namespace

void Context::set_seed(uint64_t seed) {
  seeded_ = true;
  seed_ = seed;
  for (const auto& [path, key] : keys_) overwrite(key, 0, int64_t(seed));
}

void Context::set_epoch(int64_t epoch) {
  epoch_ = epoch;
  for (const auto& [path, key] : keys_) overwrite(key, 2, epoch);
}

const Tensor& Context::key(Device device) {
  Tensor& key = keys_[path_];
  if (key.defined() && key.device() == device) return key;
  key = empty({3}, DType::int64, device);
  const int64_t state[] = {int64_t(seed_), int64_t(hash_text(path_)), epoch_};
  for (size_t i = 0; i < 3; ++i) overwrite(key, i, state[i]);
  return key;
}

Tensor Context::dropout(const Tensor& x, double p) {
  if (!training() || p == 0) return x;
  if (!seeded_) return uncial::dropout(x, p);
  const int64_t rows = x.rank() == 0 ? 0 : x.size(0);
  return uncial::dropout(x, p, {key(x.device()), samples_.defined() ? samples_ : numbers(rows, x.device())});
}

void Context::apply_updates() {
  const NoGrad no_grad;
  for (const auto& [buffer, value, momentum] : updates_)
    buffer.copy_(buffer * (1 - momentum) + value * momentum);
  updates_.clear();
}

Tensor Context::run(const std::string& name, const Module& child, const Tensor& x) {
  const PathScope scope(path_, name);
  std::optional<OriginScope> origin;
  if (current_recorder())
    origin.emplace(Origin{path_.empty() ? std::string(child.kind()) : join(path_, ' ', child.kind())});
  Tensor y = child.forward(x, *this);
  if (observer_) observer_(path_, child, x, y);
  return y;
}

}  // namespace uncial::nn
