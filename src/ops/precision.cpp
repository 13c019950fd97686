#include "precision.h"

#include "bfloat16.h"
#include "uncial/kernels/round_bfloat16.h"

namespace uncial {
namespace {

struct RoundBfloat16Op : Op {
  std::string_view name() const override { return "round_bfloat16"; }
  Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
  void run(const Call& c) const override {
    kernels::round_bfloat16<float>(c.device(), c.in[0].as<const float>(), c.out[0].as<float>(),
                                   c.out[0].size());
  }
  Tensors gradient(const Backward& b) const override { return {b.dy()}; }
  Saves saves() const override { return {.inputs = 0}; }
  bool pointwise() const override { return true; }
};

}  // namespace

Tensor as_factor(const Tensor& x, Precision precision, std::string_view what) {
  if (precision == Precision::float32 || is_bfloat16(x)) return x;
  require(x.dtype() == DType::float32, what, ": precision ", precision, " takes float32, got ", x.dtype(),
          "; convert with to(DType::float32).");
  return op<RoundBfloat16Op>({x});
}

}  // namespace uncial
