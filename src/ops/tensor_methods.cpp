// Members of Tensor that are short for operators, and those that copy elements.
#include "core/device_memory.h"
#include "elementwise_support.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/autograd/op.h"
#include "uncial/kernels/strided_copy.h"
#include "uncial/ops/reduce.h"
#include "uncial/ops/shape_ops.h"

namespace uncial {
namespace {

/// A row-major copy, converted.
struct CopyOp : Op {
  DType dtype;
  explicit CopyOp(DType to) : dtype(to) {}
  std::string_view name() const override { return "copy"; }
  bool takes_strides() const override { return true; }
  Saves saves() const override { return {.inputs = 0}; }
  Specs infer(std::span<const Spec> in) const override { return {{dtype, in[0].shape, in[0].device}}; }
  void run(const Call& c) const override {
    dispatch(storage_types, dtype, name(),
             [&]<class T>() { kernels::strided_copy<T>(c.device(), c.in[0], c.out[0]); });
  }
  Tensors gradient(const Backward& b) const override { return {b.dy().to(b.spec(0).dtype)}; }
  std::vector<Attribute> attributes() const override { return {{"dtype", std::string(name_of(dtype))}}; }
};

/// A row-major copy on another device.
struct MoveOp : Op {
  Device device;
  explicit MoveOp(Device to) : device(to) {}
  std::string_view name() const override { return "to"; }
  Saves saves() const override { return {.inputs = 0}; }
  Specs infer(std::span<const Spec> in) const override { return {{in[0].dtype, in[0].shape, device}}; }
  void run(const Call& c) const override {
    cuda::copy(c.out[0].data, device, c.in[0].data, c.in[0].device, c.in[0].bytes());
  }
  Tensors gradient(const Backward& b) const override { return {b.dy().to(b.spec(0).device)}; }
  std::vector<Attribute> attributes() const override { return {{"device", join(device)}}; }
};

/// Inputs: destination, source.
struct CopyIntoOp : Op {
  std::string_view name() const override { return "copy_"; }
  bool takes_strides() const override { return true; }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 1; }
  Specs infer(std::span<const Spec> in) const override {
    broadcast_strides(in[1].shape, row_major(in[1].shape), in[0].shape, name());
    return {};
  }
  void run(const Call& c) const override {
    dispatch(storage_types, c.in[0].dtype, name(), [&]<class T>() {
      kernels::strided_copy<T>(c.device(), broadcast_view(c.in[1], c.in[0].shape, name()), c.in[0]);
    });
  }
};

struct FillOp : Op {
  double value;
  explicit FillOp(double v) : value(v) {}
  std::string_view name() const override { return "fill_"; }
  bool takes_strides() const override { return true; }
  bool differentiable(size_t) const override { return false; }
  uint32_t writes_inputs() const override { return 1; }
  Specs infer(std::span<const Spec>) const override { return {}; }
  void run(const Call& c) const override {
    dispatch(storage_types, c.in[0].dtype, name(),
             [&]<class T>() { kernels::strided_fill<T>(c.device(), value, c.in[0]); });
  }
  std::vector<Attribute> attributes() const override { return {{"value", value}}; }
};

}  // namespace

Tensor Tensor::clone() const { return op<CopyOp>({*this}, dtype()); }
Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }
Tensor Tensor::to(DType wanted) const { return wanted == dtype() ? *this : op<CopyOp>({*this}, wanted); }

Tensor Tensor::to(Device wanted) const { return wanted == device() ? *this : op<MoveOp>({*this}, wanted); }

namespace {
/// In-place changes leave no trace on the tape: overwriting a result of an operator would give wrong
/// gradients. (A leaf may be overwritten: graphs that saved it notice by its version.)
void require_off_the_tape(const Tensor& x, const char* what) {
  require(!grad_enabled() || x.is_leaf(), what,
          ": the tensor is the result of an operator that wants a gradient, which an in-place change would "
          "falsify; "
          "change a detach() or clone() of it, or work under NoGrad.");
}
}  // namespace

void Tensor::copy_(const Tensor& source) const {
  require_off_the_tape(*this, "copy_");
  const NoGrad no_grad;
  // Windows of one memory may overlap; the copy must read all before it writes.
  const bool shared = source.defined() && source.storage() == storage();
  apply_op(std::make_shared<const CopyIntoOp>(), {*this, shared ? source.clone() : source});
}

void Tensor::fill_(double value) const {
  require_off_the_tape(*this, "fill_");
  const NoGrad no_grad;
  apply_op(std::make_shared<const FillOp>(value), {*this});
}

Tensor Tensor::reshape(const Shape& target) const { return uncial::reshape(*this, target); }
Tensor Tensor::permute(const Extents& axes) const { return uncial::permute(*this, axes); }
Tensor Tensor::transpose(int64_t a, int64_t b) const { return uncial::transpose(*this, a, b); }
Tensor Tensor::flatten(int64_t first_axis) const { return uncial::flatten(*this, first_axis); }
Tensor Tensor::squeeze(int64_t axis) const { return uncial::squeeze(*this, axis); }
Tensor Tensor::unsqueeze(int64_t axis) const { return uncial::unsqueeze(*this, axis); }
Tensor Tensor::expand(const Shape& target) const { return uncial::expand(*this, target); }
Tensor Tensor::slice(int64_t axis, Slice range) const { return uncial::slice(*this, axis, range); }
Tensor Tensor::select(int64_t axis, int64_t index) const { return uncial::select(*this, axis, index); }
Tensor Tensor::sum() const { return uncial::sum(*this); }
Tensor Tensor::sum(int64_t axis, KeepDims keep) const { return uncial::sum(*this, axis, keep); }
Tensor Tensor::mean() const { return uncial::mean(*this); }
Tensor Tensor::mean(int64_t axis, KeepDims keep) const { return uncial::mean(*this, axis, keep); }
Tensor Tensor::max(int64_t axis, KeepDims keep) const { return uncial::max(*this, axis, keep); }
Tensor Tensor::argmax(int64_t axis) const { return uncial::argmax(*this, axis); }

}  // namespace uncial
