#include "bfloat16.h"
#include "reduce_support.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/index.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

void require_indices(const Spec& s, std::string_view what) {
  require(s.dtype == DType::int64, what, ": indices must be int64, got ", s.dtype,
          "; convert with to(DType::int64).");
}

struct GatherOp : Op {
  int axis;
  explicit GatherOp(int along) : axis(along) {}
  std::string_view name() const override { return "gather"; }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 2}; }
  Specs infer(std::span<const Spec> in) const override {
    require_indices(in[1], name());
    require(in[1].shape.rank() == 1, "gather: indices must be a vector, got ", in[1].shape, ".");
    Spec out = in[0];
    out.shape[axis] = in[1].shape[0];
    return {out};
  }
  void run(const Call& c) const override {
    dispatch(all_types, c.out[0].dtype, name(), [&]<class T>() {
      kernels::gather<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const int64_t>(), c.in[1].size(),
                         c.out[0].as<T>(), around(c.in[0].shape, axis, axis + 1));
    });
  }
  Tensors gradient(const Backward& b) const override;
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}}; }
};

/// Zeros of extent n along an axis, to which dy is added at the indices. Its gradient is gather.
struct ScatterAddOp : Op {
  int axis;
  int64_t n;
  ScatterAddOp(int along, int64_t extent) : axis(along), n(extent) {}
  std::string_view name() const override { return "scatter_add"; }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 2}; }
  Specs infer(std::span<const Spec> in) const override {
    Spec out = in[0];
    out.shape[axis] = n;
    return {out};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::scatter_add<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const int64_t>(), c.in[1].size(),
                              c.out[0].as<T>(), around(c.out[0].shape, axis, axis + 1));
    });
  }
  Tensors gradient(const Backward& b) const override { return {gather(b.dy(), b.in(1), axis)}; }
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}, {"extent", n}}; }
};

Tensors GatherOp::gradient(const Backward& b) const {
  return {op<ScatterAddOp>({b.dy(), b.in(1)}, axis, b.spec(0).shape[axis])};
}

struct OneHotOp : Op {
  int64_t classes;
  DType dtype;
  OneHotOp(int64_t n, DType t) : classes(n), dtype(t) {}
  std::string_view name() const override { return "one_hot"; }
  bool differentiable(size_t) const override { return false; }
  Specs infer(std::span<const Spec> in) const override {
    require_indices(in[0], name());
    require(classes > 0, "one_hot: needs at least one class, got ", classes, ".");
    Spec out{dtype, in[0].shape, in[0].device};
    out.shape.push_back(classes);
    return {out};
  }
  void run(const Call& c) const override {
    dispatch(all_types, dtype, name(), [&]<class T>() {
      kernels::one_hot<T>(c.device(), c.in[0].as<const int64_t>(), c.in[0].size(), classes, c.out[0].as<T>());
    });
  }
  std::vector<Attribute> attributes() const override { return {{"classes", classes}}; }
};

}  // namespace

Tensor gather(const Tensor& x, const Tensor& indices, int64_t axis) {
  return rounded_op<GatherOp>({x, indices}, wrap_axis(axis, x.rank(), "gather"));
}

Tensor one_hot(const Tensor& indices, int64_t classes, DType dtype) {
  if (dtype == DType::bfloat16) return one_hot(indices, classes, DType::float32).to(dtype);
  return op<OneHotOp>({indices}, classes, dtype);
}

}  // namespace uncial
