#include "uncial/ops/dropout.h"

#include <atomic>

#include "bfloat16.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/dropout.h"

namespace uncial {
namespace {

/// Inputs x (N, ...), state (3): seed, layer, epoch, samples (N).
struct DropoutOp : Op {
  explicit DropoutOp(double p) : p(p) {}
  std::string_view name() const override { return "dropout"; }

  Specs infer(std::span<const Spec> in) const override {
    const Shape &x = in[0].shape, &state = in[1].shape, &samples = in[2].shape;
    require(p >= 0 && p < 1, "dropout: p must be in [0, 1), got ", p, ".");
    require(x.rank() >= 1, "dropout: x must be (N, ...), got a scalar; use x.unsqueeze(0).");
    require(in[1].dtype == DType::int64 && state == Shape{3},
            "dropout: the key's state must be int64(3) (seed, layer, ", "epoch), got ", in[1].dtype, state,
            ".");
    require(in[2].dtype == DType::int64 && samples == Shape{x[0]},
            "dropout: the key's samples must be int64(", x[0], "), one index for each row of x", x, ", got ",
            in[2].dtype, samples, ".");
    return {in[0]};
  }

  void run(const Call& c) const override {
    const int64_t rows = c.in[0].shape[0], cols = rows == 0 ? 0 : c.in[0].size() / rows;
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::dropout<T>(c.device(), Rows<const T>{c.in[0].as<const T>(), rows, cols},
                          c.in[2].as<const int64_t>(), c.in[1].as<const int64_t>(), dropout_threshold(p),
                          T(1 / (1 - p)), Rows<T>{c.out[0].as<T>(), rows, cols});
    });
  }

  /// The gradient is masked as x was: the mask is drawn again from the key.
  Tensors gradient(const Backward& b) const override {
    return {op<DropoutOp>({b.dy(), b.in(1), b.in(2)}, p)};
  }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 0b110}; }

  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = double(count(in[0].shape));
    return c;
  }
  std::vector<Attribute> attributes() const override { return {{"p", p}}; }

  double p;
};

}  // namespace

Tensor dropout(const Tensor& x, double p, const DropoutKey& key) {
  return rounded_op<DropoutOp>({x, key.state, key.samples}, p);
}

Tensor dropout(const Tensor& x, double p) {
  static std::atomic<int64_t> calls{0};
  // A recording would replay this call's mask for ever: say so to whoever records.
  if (Recorder* recorder = current_recorder())
    recorder->refuse("dropout without a key draws a new mask at each call");
  const int64_t rows = x.rank() == 0 ? 0 : x.size(0);
  return dropout(
      x, p,
      {tensor<int64_t>({0, calls.fetch_add(1, std::memory_order_relaxed), 0}), arange(0, double(rows))});
}

}  // namespace uncial
