// Rearrangements that copy.
#include "uncial/ops/shape_ops.h"

#include "uncial/kernels/strided_copy.h"
#include "view_ops.h"

namespace uncial {
namespace {

Tensor slice_back(const Tensor& dy, int axis, int64_t start, int64_t extent) {
  return apply1(slice_op(axis, start, extent), {dy});
}

struct ConcatOp : Op {
  int axis;
  explicit ConcatOp(int along) : axis(along) {}
  std::string_view name() const override { return "concat"; }
  bool takes_strides() const override { return true; }
  Saves saves() const override { return {.inputs = 0}; }
  Specs infer(std::span<const Spec> in) const override {
    Spec out = in[0];
    out.shape[axis] = 0;
    for (const Spec& s : in) {
      Shape expected = in[0].shape;
      if (axis < s.shape.rank()) expected[axis] = s.shape[axis];
      require(s.shape == expected && s.dtype == out.dtype, "concat: got ", s.dtype, s.shape, " after ",
              in[0].dtype, in[0].shape, "; all parts need one dtype and equal extents but on axis ", axis,
              ".");
      out.shape[axis] += s.shape[axis];
    }
    return {out};
  }
  void run(const Call& c) const override {
    dispatch(storage_types, c.out[0].dtype, name(), [&]<class T>() {
      int64_t start = 0;
      for (const View& part : c.in) {
        const int64_t extent = part.shape[axis];
        kernels::strided_copy<T>(c.device(), part, window_of(c.out[0], *slice_op(axis, start, extent)));
        start += extent;
      }
    });
  }
  Tensors gradient(const Backward& b) const override {
    Tensors parts;
    int64_t start = 0;
    for (size_t i = 0; i < b.inputs(); ++i) {
      const int64_t extent = b.spec(i).shape[axis];
      parts.push_back(b.needs(i) ? slice_back(b.dy(), axis, start, extent) : Tensor());
      start += extent;
    }
    return parts;
  }
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}}; }
};

struct PadOp : Op {
  Extents before, after;
  double value;
  PadOp(Extents leading, Extents trailing, double v) : before(leading), after(trailing), value(v) {}
  std::string_view name() const override { return "pad"; }
  bool takes_strides() const override { return true; }
  Saves saves() const override { return {.inputs = 0}; }
  Specs infer(std::span<const Spec> in) const override {
    Spec out = in[0];
    for (int axis = 0; axis < before.rank(); ++axis) {
      int64_t& extent = out.shape[axis];
      require(!__builtin_add_overflow(extent, before[axis], &extent) &&
                  !__builtin_add_overflow(extent, after[axis], &extent),
              "pad: axis ", axis, " of ", in[0].shape, " with ", before[axis], " before and ", after[axis],
              " after is longer than an index can count.");
    }
    return {out};
  }
  void run(const Call& c) const override {
    View inside = c.out[0];
    for (int axis = 0; axis < before.rank(); ++axis)
      inside = window_of(inside, *slice_op(axis, before[axis], c.in[0].shape[axis]));
    dispatch(storage_types, inside.dtype, name(), [&]<class T>() {
      kernels::strided_fill<T>(c.device(), value, c.out[0]);
      kernels::strided_copy<T>(c.device(), c.in[0], inside);
    });
  }
  Tensors gradient(const Backward& b) const override {
    Tensor dx = b.dy();
    for (int axis = 0; axis < before.rank(); ++axis)
      dx = slice_back(dx, axis, before[axis], b.spec(0).shape[axis]);
    return {dx};
  }
  std::vector<Attribute> attributes() const override {
    return {{"before", before}, {"after", after}, {"value", value}};
  }
};

}  // namespace

Tensor concat(const Tensors& parts, int64_t axis) {
  require(!parts.empty(), "concat: needs at least one tensor.");
  return op<ConcatOp>(parts, wrap_axis(axis, parts[0].rank(), "concat"));
}

Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads, double value) {
  require(int(pads.size()) == x.rank(), "pad: ", pads.size(), " pairs for shape ", x.shape(), ".");
  Extents before, after;
  for (const auto& [b, a] : pads) {
    require(b >= 0 && a >= 0, "pad: pads must be >= 0, got {", b, ", ", a, "}; use slice() to cut.");
    before.push_back(b);
    after.push_back(a);
  }
  return op<PadOp>({x}, before, after, value);
}

}  // namespace uncial
