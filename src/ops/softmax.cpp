#include "uncial/kernels/softmax.h"
#include "bfloat16.h"
#include "uncial/autograd/op.h"
#include "uncial/ops/elementwise.h"
#include "uncial/ops/loss.h"
#include "uncial/ops/reduce.h"

namespace uncial {
namespace {

/// Softmax and its logarithm: everything but the formulas. `axis` may be negative.
struct SoftmaxBase : Op {
  explicit SoftmaxBase(int64_t axis) : axis(axis) {}

  Specs infer(std::span<const Spec> in) const override {
    const Shape& x = in[0].shape;
    const int a = wrap_axis(axis, x.rank(), name());
    require(x[a] >= 1, name(), ": x", x, " needs at least one element along axis ", a, ".");
    return {in[0]};
  }
  SoftmaxExtents extents(const Shape& x) const {
    const int a = wrap_axis(axis, x.rank(), name());
    SoftmaxExtents e{1, x[a], 1};
    for (int i = 0; i < a; ++i) e.outer *= x[i];
    for (int i = a + 1; i < x.rank(); ++i) e.inner *= x[i];
    return e;
  }
  Saves saves() const override { return {.inputs = 0, .outputs = 1}; }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    c.flops = 5 * double(count(in[0].shape));  // maximum, difference, exponential, sum, quotient
    return c;
  }
  std::vector<Attribute> attributes() const override { return {{"axis", axis}}; }

  int64_t axis;
};

struct SoftmaxOp : SoftmaxBase {
  using SoftmaxBase::SoftmaxBase;
  std::string_view name() const override { return "softmax"; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::softmax<T>(c.device(), c.in[0].as<const T>(), c.out[0].as<T>(), extents(c.in[0].shape));
    });
  }
  /// J = diag(y) - y y^T, so J dy = y * (dy - <y, dy>); J itself is never formed.
  Tensors gradient(const Backward& b) const override {
    const Tensor &y = b.out(), &dy = b.dy();
    return {y * (dy - sum(y * dy, axis, keep_dims))};
  }
};

struct LogSoftmaxOp : SoftmaxBase {
  using SoftmaxBase::SoftmaxBase;
  std::string_view name() const override { return "log_softmax"; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::log_softmax<T>(c.device(), c.in[0].as<const T>(), c.out[0].as<T>(), extents(c.in[0].shape));
    });
  }
  /// dx = dy - softmax(x) * sum(dy)
  Tensors gradient(const Backward& b) const override {
    return {b.dy() - exp(b.out()) * sum(b.dy(), axis, keep_dims)};
  }
};

}  // namespace

Tensor softmax(const Tensor& x, int64_t axis) { return rounded_op<SoftmaxOp>({x}, axis); }
Tensor log_softmax(const Tensor& x, int64_t axis) { return rounded_op<LogSoftmaxOp>({x}, axis); }

}  // namespace uncial
