// Views: operators whose result is another window on the same memory.
#include "view_ops.h"

#include <algorithm>

#include "elementwise_support.h"
#include "uncial/kernels/strided_copy.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// x comes row-major: apply_op() copies a strided one, because this record does not take strides.
struct ReshapeOp : ViewOp {
  Shape target;
  explicit ReshapeOp(Shape shape) : target(shape) {}
  std::string_view name() const override { return "reshape"; }
  bool takes_strides() const override { return false; }
  Window window(const Shape&, const Strides&) const override { return {target, row_major(target)}; }
  Tensors gradient(const Backward& b) const override { return {reshape(b.dy(), b.spec(0).shape)}; }
  std::vector<Attribute> attributes() const override { return {{"shape", target}}; }
};

struct PermuteOp : ViewOp {
  Extents axes;
  explicit PermuteOp(Extents order) : axes(order) {}
  std::string_view name() const override { return "permute"; }
  Window window(const Shape& shape, const Strides& strides) const override {
    Window w;
    for (int64_t axis : axes) {
      w.shape.push_back(shape[int(axis)]);
      w.strides.push_back(strides[int(axis)]);
    }
    return w;
  }
  Tensors gradient(const Backward& b) const override {
    Extents inverse = axes;
    for (int i = 0; i < axes.rank(); ++i) inverse[int(axes[i])] = i;
    return {permute(b.dy(), inverse)};
  }
  std::vector<Attribute> attributes() const override { return {{"axes", axes}}; }
};

struct ExpandOp : ViewOp {
  Shape target;
  explicit ExpandOp(Shape shape) : target(shape) {}
  std::string_view name() const override { return "expand"; }
  Window window(const Shape& shape, const Strides& strides) const override {
    return {target, broadcast_strides(shape, strides, target, "expand")};
  }
  Tensors gradient(const Backward& b) const override { return {sum_to(b.dy(), b.spec(0).shape)}; }
  std::vector<Attribute> attributes() const override { return {{"shape", target}}; }
};

struct SqueezeOp : ViewOp {
  int axis;
  explicit SqueezeOp(int a) : axis(a) {}
  std::string_view name() const override { return "squeeze"; }
  Window window(const Shape& shape, const Strides& strides) const override {
    Window w{shape, strides};
    w.shape.erase(axis);
    w.strides.erase(axis);
    return w;
  }
  Tensors gradient(const Backward& b) const override { return {unsqueeze(b.dy(), axis)}; }
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}}; }
};

struct UnsqueezeOp : ViewOp {
  int axis;
  explicit UnsqueezeOp(int a) : axis(a) {}
  std::string_view name() const override { return "unsqueeze"; }
  Window window(const Shape& shape, const Strides& strides) const override {
    Window w{shape, strides};
    w.shape.insert(axis, 1);
    w.strides.insert(axis, 0);
    return w;
  }
  Tensors gradient(const Backward& b) const override { return {squeeze(b.dy(), axis)}; }
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}}; }
};

/// x's gradient is zero outside the window: a view that leaves elements out shares this rule.
template <class Derived>
struct PartOp : ViewOp {
  Tensors gradient(const Backward& b) const override {
    return {
        place(b.dy(), std::make_shared<const Derived>(static_cast<const Derived&>(*this)), b.spec(0).shape)};
  }
};

/// `extent` elements from `start` in steps of `step`, which may be negative.
struct SliceOp : PartOp<SliceOp> {
  int axis;
  int64_t start, extent, step;
  SliceOp(int a, int64_t first, int64_t elements, int64_t stride)
      : axis(a), start(first), extent(elements), step(stride) {}
  std::string_view name() const override { return "slice"; }
  Window window(const Shape& shape, const Strides& strides) const override {
    Window w{shape, strides, extent == 0 ? 0 : start * strides[axis]};
    w.shape[axis] = extent;
    if (extent > 1) w.strides[axis] *= step;  // else no step is taken, and a huge one would overflow
    return w;
  }
  std::vector<Attribute> attributes() const override {
    return {{"axis", int64_t(axis)}, {"start", start}, {"extent", extent}, {"step", step}};
  }
};

struct SelectOp : PartOp<SelectOp> {
  int axis;
  int64_t index;
  SelectOp(int a, int64_t i) : axis(a), index(i) {}
  std::string_view name() const override { return "select"; }
  Window window(const Shape& shape, const Strides& strides) const override {
    Window w{shape, strides, index * strides[axis]};
    w.shape.erase(axis);
    w.strides.erase(axis);
    return w;
  }
  std::vector<Attribute> attributes() const override { return {{"axis", int64_t(axis)}, {"index", index}}; }
};

/// Zeros of shape `full` with x in the window of `part`. Its gradient is `part` itself.
struct PlaceOp : Op {
  std::shared_ptr<const ViewOp> part;
  Shape full;
  PlaceOp(std::shared_ptr<const ViewOp> window, Shape shape) : part(std::move(window)), full(shape) {}
  std::string_view name() const override { return "place"; }
  bool takes_strides() const override { return true; }
  Saves saves() const override { return {.inputs = 0}; }
  Specs infer(std::span<const Spec> in) const override { return {{in[0].dtype, full, in[0].device}}; }
  void run(const Call& c) const override {
    dispatch(storage_types, c.out[0].dtype, name(), [&]<class T>() {
      kernels::strided_fill<T>(c.device(), 0.0, c.out[0]);
      kernels::strided_copy<T>(c.device(), c.in[0], window_of(c.out[0], *part));
    });
  }
  Tensors gradient(const Backward& b) const override { return {apply1(part, {b.dy()})}; }
  std::vector<Attribute> attributes() const override { return {{"shape", full}}; }
};

}  // namespace

View window_of(View x, const ViewOp& op) {
  const ViewOp::Window w = op.window(x.shape, x.strides);
  x.data = static_cast<std::byte*>(x.data) + w.offset * size_of(x.dtype);
  x.shape = w.shape;
  x.strides = w.strides;
  return x;
}

std::shared_ptr<const ViewOp> slice_op(int axis, int64_t start, int64_t extent, int64_t step) {
  return std::make_shared<const SliceOp>(axis, start, extent, step);
}

Tensor place(const Tensor& x, std::shared_ptr<const ViewOp> part, const Shape& full) {
  return op<PlaceOp>({x}, std::move(part), full);
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  Shape target = shape;
  int unknown = -1;
  int64_t known = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    require(shape[axis] >= -1 && (shape[axis] >= 0 || unknown < 0), "reshape: the target ", shape,
            " may hold one -1 and no other negative extent.");
    if (shape[axis] == -1)
      unknown = axis;
    else
      require(!__builtin_mul_overflow(known, shape[axis], &known), "reshape: the target ", shape,
              " is too large.");
  }
  if (unknown >= 0) {
    require(known > 0 && x.size() % known == 0, "reshape: ", x.size(), " elements of ", x.shape(),
            " do not fit ", shape, ": ",
            known > 0 ? "not divisible by " : "the -1 is not determined beside an extent of ", known, ".");
    target[unknown] = x.size() / known;
  }
  require(count(target) == x.size(), "reshape: ", x.shape(), " has ", x.size(), " elements, ", target,
          " has ", count(target), ".");
  return target == x.shape() ? x : op<ReshapeOp>({x}, target);
}

Tensor permute(const Tensor& x, const Extents& axes) {
  require(axes.rank() == x.rank(), "permute: ", axes.rank(), " axes for shape ", x.shape(), ".");
  Extents order = axes, seen = Extents::filled(x.rank(), 0);
  for (int64_t& axis : order) {
    axis = wrap_axis(axis, x.rank(), "permute");
    require(seen[int(axis)]++ == 0, "permute: axis ", axis, " appears twice in ", axes, ".");
  }
  return op<PermuteOp>({x}, order);
}

Tensor transpose(const Tensor& x, int64_t a, int64_t b) {
  Extents order;
  for (int axis = 0; axis < x.rank(); ++axis) order.push_back(axis);
  std::swap(order[wrap_axis(a, x.rank(), "transpose")], order[wrap_axis(b, x.rank(), "transpose")]);
  return op<PermuteOp>({x}, order);
}

Tensor flatten(const Tensor& x, int64_t first_axis) {
  if (x.rank() == 0) return reshape(x, {1});
  const int first = wrap_axis(first_axis, x.rank(), "flatten");
  Shape shape;
  for (int axis = 0; axis < first; ++axis) shape.push_back(x.shape()[axis]);
  Shape joined;
  for (int axis = first; axis < x.rank(); ++axis) joined.push_back(x.shape()[axis]);
  shape.push_back(count(joined));
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x, int64_t axis) {
  const int a = wrap_axis(axis, x.rank(), "squeeze");
  require(x.shape()[a] == 1, "squeeze: axis ", a, " of shape ", x.shape(), " has extent ", x.shape()[a],
          ", expected 1; use select() or a reduction.");
  return op<SqueezeOp>({x}, a);
}

Tensor unsqueeze(const Tensor& x, int64_t axis) {
  return op<UnsqueezeOp>({x}, wrap_axis(axis, x.rank() + 1, "unsqueeze"));
}

Tensor expand(const Tensor& x, const Shape& shape) {
  count(shape);  // refuses what could not be counted, before a view of it exists
  return shape == x.shape() ? x : op<ExpandOp>({x}, shape);
}

Tensor slice(const Tensor& x, int64_t axis, Slice range) {
  const int a = wrap_axis(axis, x.rank(), "slice");
  require(range.step != 0 && range.step != INT64_MIN, "slice: the step must not be ", range.step, ".");
  // Python's rules: negative bounds count from the end, bounds outside are clamped; going down, the end
  // before the first element is -1.
  const int64_t n = x.shape()[a], low = range.step > 0 ? 0 : -1, high = range.step > 0 ? n : n - 1;
  const auto clamped = [&](int64_t bound) { return std::clamp(bound < 0 ? bound + n : bound, low, high); };
  // A start of 0 means "from the far end" only by asking for it: Slice{.start = -1, .step = -1} reverses.
  const int64_t start = clamped(range.start);
  const int64_t stop = range.stop ? clamped(*range.stop) : (range.step > 0 ? n : -1);
  const int64_t span = range.step > 0 ? stop - start : start - stop;
  const int64_t extent = span <= 0 ? 0 : (span - 1) / std::abs(range.step) + 1;
  return op<SliceOp>({x}, a, start, extent, range.step);
}

Tensor select(const Tensor& x, int64_t axis, int64_t index) {
  const int a = wrap_axis(axis, x.rank(), "select");
  const int64_t n = x.shape()[a];
  require(index >= -n && index < n, "select: index ", index, " is outside [", -n, ", ", n, ") of axis ", a,
          " of shape ", x.shape(), ".");
  return op<SelectOp>({x}, a, index < 0 ? index + n : index);
}

}  // namespace uncial
