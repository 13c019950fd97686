#include "precision.h"

#include "bfloat16.h"
#include "uncial/kernels/rounding.h"

namespace uncial {
namespace {

/// To the format of factors at a precision.
struct RoundOp : Op {
  explicit RoundOp(Precision to) : precision(to) {}
  std::string_view name() const override {
    return precision == Precision::bf16 ? "round_bfloat16" : "round_float16";
  }
  Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
  void run(const Call& c) const override {
    const auto* x = c.in[0].as<const float>();
    auto* y = c.out[0].as<float>();
    if (precision == Precision::bf16)
      kernels::round_bfloat16<float>(c.device(), x, y, c.out[0].size());
    else
      kernels::round_float16<float>(c.device(), x, y, c.out[0].size());
  }
  Tensors gradient(const Backward& b) const override { return {b.dy()}; }
  Saves saves() const override { return {.inputs = 0}; }
  bool pointwise() const override { return true; }
  Precision precision;
};

}  // namespace

Tensor as_factor(const Tensor& x, Precision precision, std::string_view what) {
  if (!rounds_factors(precision) || (precision == Precision::bf16 && is_bfloat16(x))) return x;
  require(x.dtype() == DType::float32, what, ": precision ", precision, " takes float32, got ", x.dtype(),
          "; convert with to(DType::float32).");
  return op<RoundOp>({x}, precision);
}

}  // namespace uncial
