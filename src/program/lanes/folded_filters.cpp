#include "folded_filters.h"

#include <cmath>

namespace uncial::program::lanes {

FoldedFilters::FoldedFilters(const Planner& p, const Conv& conv, int w, int b, int norm)
    : kernels_(conv.winograd_of(p.kernels())),
      conv_(conv),
      w_(w),
      b_(b),
      scale_(p.graph().in(norm, 1)),
      shift_(p.graph().in(norm, 2)),
      mean_(p.graph().in(norm, 3)),
      variance_(p.graph().in(norm, 4)),
      epsilon_(attribute<double>(*p.graph().step(norm).op, "epsilon")),
      filter_(conv.C / conv.shape.groups * conv.shape.R * conv.shape.S),
      winograd_floats_(conv.winograd() ? ceil_div(kernels_.weight_floats(conv.C, conv.K), 16) * 16 : 0) {}

int64_t FoldedFilters::floats() const { return winograd_floats_ + conv_.K * (filter_ + 1); }

std::vector<int> FoldedFilters::operands() const {
  std::vector<int> all = {w_, scale_, shift_, mean_, variance_};
  if (b_ >= 0) all.push_back(b_);
  return all;
}

void FoldedFilters::make(const Runtime& runtime, int64_t task) const {
  const auto at = [&](int value, int64_t i) { return runtime.views[size_t(value)].as<const float>()[i]; };
  float *weights = data() + winograd_floats_, *bias = weights + conv_.K * filter_;
  const int64_t k0 = task * kFilters, k1 = std::min(k0 + kFilters, conv_.K);
  for (int64_t k = k0; k < k1; ++k) {
    const double factor = double(at(scale_, k)) / std::sqrt(double(at(variance_, k)) + epsilon_);
    for (int64_t i = k * filter_; i < (k + 1) * filter_; ++i) weights[i] = float(double(at(w_, i)) * factor);
    const double b = b_ >= 0 ? double(at(b_, k)) : 0;
    bias[k] = float((b - double(at(mean_, k))) * factor + double(at(shift_, k)));
  }
  if (winograd_floats_ > 0) kernels_.transform_weights(weights, conv_.C, conv_.K, data(), k0, k1);
}

std::shared_ptr<FoldedFilters> folded_filters(Planner& p, int step, const Conv& conv) {
  const int norm = p.fusions().convs.at(step).norm;
  if (norm < 0) return nullptr;
  const Step& s = p.graph().step(step);
  const int b = s.inputs.size() > 2 ? s.inputs[2] : -1;
  auto folded = std::make_shared<FoldedFilters>(p, conv, s.inputs[1], b, norm);
  for (int v : folded->operands()) p.need_rows(v);
  p.prepare(folded, folded->operands());
  return folded;
}

}  // namespace uncial::program::lanes
