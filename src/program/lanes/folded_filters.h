#pragma once
/// @file folded_filters.h
/// A convolution's weights and bias with the normalisation behind it folded in, for inference. Internal.

#include "conv_nodes.h"

namespace uncial::program::lanes {

class FoldedFilters final : public Prepared {
 public:
  /// `w`, and `b` unless -1, are values; `norm` is the step of batch_norm_inference.
  FoldedFilters(const Planner& p, const Conv& conv, int w, int b, int norm);

  int64_t floats() const override;
  int64_t tasks() const override { return ceil_div(conv_.K, kFilters); }
  void make(const Runtime& runtime, int64_t task) const override;
  std::vector<int> operands() const;

  const float* weights() const { return data() + winograd_floats_; }
  const float* bias() const { return weights() + conv_.K * filter_; }
  /// Winograd's form of the weights, where the convolution has one.
  const float* u() const { return data(); }

 private:
  static constexpr int64_t kFilters = 8;
  const cpu::WinogradSimd& kernels_;
  Conv conv_;
  int w_, b_, scale_, shift_, mean_, variance_;
  double epsilon_;
  int64_t filter_, winograd_floats_;  ///< floats of a filter; of Winograd's form
};

/// The folded weights of convolution `step`; null when no normalisation was fused with it.
std::shared_ptr<FoldedFilters> folded_filters(Planner& p, int step, const Conv& conv);

}  // namespace uncial::program::lanes
