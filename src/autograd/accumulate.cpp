#include "uncial/kernels/accumulate.h"
#include "node.h"

namespace uncial {
namespace {

struct AccumulateOp : Op {
  std::string_view name() const override { return "accumulate"; }
  bool pointwise() const override { return true; }
  Specs infer(std::span<const Spec> in) const override { return {in[0]}; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::accumulate<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(), c.out[0].as<T>(),
                             c.out[0].size());
    });
  }
  Tensors gradient(const Backward& b) const override { return {b.dy(), b.dy()}; }
  Saves saves() const override { return {.inputs = 0}; }
};

}  // namespace

Tensor accumulate(const Tensor& a, const Tensor& b) {
  if (a.dtype() == DType::bfloat16)
    return accumulate(a.to(DType::float32), b.to(DType::float32)).to(DType::bfloat16);
  return op<AccumulateOp>({a, b});
}

}  // namespace uncial
