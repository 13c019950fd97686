#include "uncial/ops/loss.h"

#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/cross_entropy.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// Labels (N) for the rows of `x` (N, classes), as int64.
Tensor checked_labels(std::string_view what, const char* name, const Tensor& x, const Tensor& labels) {
  require(x.rank() == 2 && is_floating(x.dtype()), what, ": ", name, " must be float (N, classes), got ",
          x.dtype(), x.shape(), x.rank() == 1 ? "; for a single sample pass unsqueeze(0)." : ".");
  require(x.size(0) >= 1 && x.size(1) >= 1, what, ": ", name, x.shape(), " has nothing to average.");
  require(labels.dtype() == DType::int64 || labels.dtype() == DType::int32 || labels.dtype() == DType::uint8,
          what, ": labels must be int64, int32 or uint8, got ", labels.dtype(),
          "; convert with labels.to(DType::int64).");
  require(labels.shape() == Shape{x.size(0)}, what, ": labels", labels.shape(), " must be (", x.size(0),
          "), one for each row of ", name, x.shape(), ".");
  return labels.to(DType::int64);
}

/// Inputs logits (N, classes), labels (N), and class weights (classes) or nothing
/// -> loss (), gradient dloss/dlogits. Both come from one pass over the logits.
struct CrossEntropyOp : Op {
  explicit CrossEntropyOp(double smoothing) : smoothing(smoothing) {}
  std::string_view name() const override { return "cross_entropy"; }

  Specs infer(std::span<const Spec> in) const override {
    require(smoothing >= 0 && smoothing < 1, "cross_entropy: label_smoothing must be in [0, 1), got ",
            smoothing, ".");
    const int64_t classes = in[0].shape[1];
    require(in.size() < 3 || (in[2].shape == Shape{classes} && in[2].dtype == in[0].dtype),
            "cross_entropy: class_weights must be ", in[0].dtype, Shape{classes},
            ", one for each class of logits", in[0].shape, ", got ", in.back().dtype, in.back().shape, ".");
    return {{in[0].dtype, {}, in[0].device}, in[0]};
  }

  void run(const Call& c) const override {
    if (c.device().is_cpu())  // a GPU's kernel looks itself
      check_labels(name(), c.in[1].as<const int64_t>(), c.in[1].size(), c.in[0].shape[1]);
    dispatch(floats, c.in[0].dtype, name(), [&]<class T>() {
      kernels::cross_entropy<T>(c.device(), rows_of<const T>(c.in[0]), c.in[1].as<const int64_t>(),
                                c.in.size() == 3 ? c.in[2].as<const T>() : static_cast<const T*>(nullptr),
                                smoothing, static_cast<double*>(c.workspace), c.out[0].as<T>(),
                                c.out[1].as<T>());
    });
  }
  int64_t workspace_bytes(std::span<const Spec> in) const override {
    return in[0].shape[0] * int64_t(sizeof(double));
  }

  Tensors gradient(const Backward& b) const override {
    if (!grad_enabled()) return {b.dy() * b.out(1)};
    // Somebody will differentiate this again, but out(1) is a number to the tape. Written out, it is
    // (softmax - target) * row weight; all but the softmax is constant in the logits.
    const Tensor p = softmax(b.in(0)), constant = (b.out(1) - (p * row_weights(b))).detach();
    return {b.dy() * (p * row_weights(b) + constant)};
  }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.outputs = 0b10}; }

  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 8 * double(count(in[0].shape));
    return c;
  }
  std::vector<Attribute> attributes() const override { return {{"label_smoothing", smoothing}}; }

  double smoothing;

 private:
  /// (N, 1): what each row counts in the mean.
  static Tensor row_weights(const Backward& b) {
    const int64_t N = b.spec(0).shape[0];
    if (b.inputs() < 3) return full({1, 1}, 1.0 / double(N), b.spec(0).dtype, b.spec(0).device);
    const Tensor w = gather(b.in(2), b.in(1));
    return unsqueeze(w / sum(w), 1);
  }
};

void check_pair(std::string_view what, const Tensor& x, const Tensor& y, const char* names) {
  require(x.shape() == y.shape() && x.dtype() == y.dtype(), what, ": ", names, " must agree, got ", x.dtype(),
          x.shape(), " and ", y.dtype(), y.shape(), ".");
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  Tensors inputs{logits, checked_labels("cross_entropy", "logits", logits, labels)};
  if (options.class_weights.defined()) inputs.push_back(options.class_weights);
  return apply_op(std::make_shared<CrossEntropyOp>(options.label_smoothing), std::move(inputs))[0];
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& labels) {
  const Tensor index =
      checked_labels("nll_loss", "log_probabilities", log_probabilities, labels).contiguous();
  const int64_t N = log_probabilities.size(0), classes = log_probabilities.size(1);
  // A recording has no numbers yet; there one_hot says which index is wrong, when it runs.
  if (index.device().is_cpu() && !current_recorder())
    check_labels("nll_loss", index.view().as<const int64_t>(), N, classes);
  // Chosen, not multiplied by a one-hot vector: probabilities of 0 elsewhere (log -inf) must not count.
  const Tensor chosen = one_hot(index, classes, DType::boolean);
  const Tensor zero = zeros({}, log_probabilities.dtype(), log_probabilities.device());
  return sum(where(chosen, log_probabilities, zero)) * (-1.0 / double(N));
}

Tensor mse_loss(const Tensor& x, const Tensor& y) {
  check_pair("mse_loss", x, y, "x and y");
  return mean(square(x - y));
}

Tensor l1_loss(const Tensor& x, const Tensor& y) {
  check_pair("l1_loss", x, y, "x and y");
  return mean(abs(x - y));
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets) {
  check_pair("bce_with_logits", logits, targets, "logits and targets");
  return mean(softplus(logits) - logits * targets);
}

}  // namespace uncial
