#include "uncial/ops/pool.h"

#include <algorithm>

#include "uncial/autograd/op.h"
#include "uncial/kernels/pool.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// x (N, C, H, W) -> (N, C, P, Q), the one shape rule of all poolings.
Shape pool_shape(std::string_view what, const Shape& x, const PoolOptions& o) {
  require(x.rank() == 4, what, ": x must be (N, C, H, W), got ", x,
          x.rank() == 3 ? "; for a single image pass x.unsqueeze(0)." : ".");
  constexpr int64_t kLargest = int64_t(1) << 31;  // keeps the arithmetic below far from overflow
  require(o.kernel <= kLargest && o.stride <= kLargest, what, ": kernel and stride must be at most ",
          kLargest, ", got ", o.kernel, " and ", o.stride, ".");
  require(o.kernel >= 1 && o.stride >= 1, what,
          ": needs kernel >= 1 and stride >= 1 (or 0: as kernel), got kernel ", o.kernel, " and stride ",
          o.stride, ".");
  require(o.padding >= 0 && o.padding <= o.kernel / 2, what, ": padding must be 0 to ", o.kernel / 2,
          " (half of kernel ", o.kernel, "), got ", o.padding, ".");
  require(x[2] >= 1 && x[3] >= 1, what, ": the images of x", x, " have no pixels.");
  const int64_t smaller = std::min(x[2], x[3]), height = x[2] + 2 * o.padding - o.kernel,
                width = x[3] + 2 * o.padding - o.kernel;
  require(height >= 0 && width >= 0, what, ": kernel ", o.kernel, " is larger than x", x, " padded by ",
          o.padding, "; use kernel <= ", smaller + 2 * o.padding, ".");
  return {x[0], x[1], height / o.stride + 1, width / o.stride + 1};
}

/// What the operators of this file share: options, and extents from the shapes of an image and a result.
struct PoolOp : Op {
  explicit PoolOp(PoolOptions o) : options(o) {
    if (options.stride == 0) options.stride = options.kernel;
  }
  PoolExtents extents(const Shape& x, const Shape& y) const {
    return {x[0] * x[1], x[2], x[3], y[2], y[3], options.kernel, options.stride, options.padding};
  }
  Cost cost(std::span<const Spec> in, std::span<const Spec> out) const override {
    Cost c = Op::cost(in, out);
    const double windows =
        double(std::min(count(in[0].shape), count(out[0].shape)));  // the smaller is (N, C, P, Q)
    c.flops = windows * double(options.kernel * options.kernel);
    return c;
  }
  std::vector<Attribute> attributes() const override {
    return {{"kernel", options.kernel}, {"stride", options.stride}, {"padding", options.padding}};
  }
  PoolOptions options;
};

/// Inputs values, x -> the element of `values` at the place of each window's winner in x.
struct MaxPoolGatherOp : PoolOp {
  using PoolOp::PoolOp;
  std::string_view name() const override { return "max_pool2d_gather"; }
  Specs infer(std::span<const Spec> in) const override {
    return {{in[0].dtype, pool_shape(name(), in[1].shape, options), in[0].device}};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::max_pool_gather<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(), c.out[0].as<T>(),
                                  extents(c.in[1].shape, c.out[0].shape));
    });
  }
  Tensors gradient(const Backward& b) const override;
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 0b10}; }
};

/// Inputs dy, x -> dx: the gradient rule of max pooling, and the transpose of the gather. Winners are found
/// again instead of being stored: inference then costs nothing, and x is in memory anyway.
struct MaxPoolScatterOp : PoolOp {
  using PoolOp::PoolOp;
  std::string_view name() const override { return "max_pool2d_backward"; }
  Specs infer(std::span<const Spec> in) const override { return {in[1]}; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::max_pool_scatter<T>(c.device(), c.in[0].as<const T>(), c.in[1].as<const T>(), c.out[0].as<T>(),
                                   extents(c.in[1].shape, c.in[0].shape));
    });
  }
  Tensors gradient(const Backward& b) const override {
    return {op<MaxPoolGatherOp>({b.dy(), b.in(1)}, options)};
  }
  bool differentiable(size_t input) const override { return input == 0; }
  Saves saves() const override { return {.inputs = 0b10}; }
};

Tensors MaxPoolGatherOp::gradient(const Backward& b) const {
  return {op<MaxPoolScatterOp>({b.dy(), b.in(1)}, options)};
}

struct MaxPoolOp : PoolOp {
  using PoolOp::PoolOp;
  std::string_view name() const override { return "max_pool2d"; }
  Specs infer(std::span<const Spec> in) const override {
    return {{in[0].dtype, pool_shape(name(), in[0].shape, options), in[0].device}};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::max_pool<T>(c.device(), c.in[0].as<const T>(), c.out[0].as<T>(),
                           extents(c.in[0].shape, c.out[0].shape));
    });
  }
  Tensors gradient(const Backward& b) const override {
    return {op<MaxPoolScatterOp>({b.dy(), b.in(0)}, options)};
  }
};

struct AvgPoolOp : PoolOp {
  using PoolOp::PoolOp;
  std::string_view name() const override { return "avg_pool2d"; }
  Specs infer(std::span<const Spec> in) const override {
    return {{in[0].dtype, pool_shape(name(), in[0].shape, options), in[0].device}};
  }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::avg_pool<T>(c.device(), c.in[0].as<const T>(), c.out[0].as<T>(),
                           extents(c.in[0].shape, c.out[0].shape));
    });
  }
  Tensors gradient(const Backward& b) const override;
  Saves saves() const override { return {.inputs = 0}; }
};

/// dy -> dx, whose shape dy alone does not tell.
struct AvgPoolBackwardOp : PoolOp {
  AvgPoolBackwardOp(PoolOptions o, const Shape& image) : PoolOp(o), x(image) {}
  std::string_view name() const override { return "avg_pool2d_backward"; }
  Specs infer(std::span<const Spec> in) const override { return {{in[0].dtype, x, in[0].device}}; }
  void run(const Call& c) const override {
    dispatch(floats, c.out[0].dtype, name(), [&]<class T>() {
      kernels::avg_pool_backward<T>(c.device(), c.in[0].as<const T>(), c.out[0].as<T>(),
                                    extents(x, c.in[0].shape));
    });
  }
  Tensors gradient(const Backward& b) const override { return {op<AvgPoolOp>({b.dy()}, options)}; }
  Saves saves() const override { return {.inputs = 0}; }
  Shape x;
};

Tensors AvgPoolOp::gradient(const Backward& b) const {
  return {op<AvgPoolBackwardOp>({b.dy()}, options, b.spec(0).shape)};
}

/// (N, C, H, W) -> (N, C, H * W)
Tensor pixels(const Tensor& x, std::string_view what) {
  require(x.rank() == 4, what, ": x must be (N, C, H, W), got ", x.shape(), ".");
  require(x.size(2) >= 1 && x.size(3) >= 1, what, ": the images of x", x.shape(), " have no pixels.");
  return flatten(x, 2);
}

}  // namespace

Tensor max_pool2d(const Tensor& x, PoolOptions options) { return op<MaxPoolOp>({x}, options); }
Tensor avg_pool2d(const Tensor& x, PoolOptions options) { return op<AvgPoolOp>({x}, options); }

Tensor global_avg_pool2d(const Tensor& x) {
  return unsqueeze(mean(pixels(x, "global_avg_pool2d"), -1, keep_dims), -1);
}
Tensor global_max_pool2d(const Tensor& x) {
  return unsqueeze(max(pixels(x, "global_max_pool2d"), -1, keep_dims), -1);
}

}  // namespace uncial
