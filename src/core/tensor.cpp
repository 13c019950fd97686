#include "uncial/core/tensor.h"

#include "device_memory.h"
#include "tensor_impl.h"

namespace uncial {
namespace {
thread_local HostAccessHook host_access_hook = nullptr;
}

HostAccessHook exchange_host_access_hook(HostAccessHook hook) {
  return std::exchange(host_access_hook, hook);
}

Tensor::Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape shape, Strides strides, int64_t offset)
    : impl_(std::make_shared<Impl>(Impl{std::move(storage), dtype, shape, strides, offset, nullptr})) {}

const Tensor::Impl& Tensor::impl() const {
  require(defined(),
          "this Tensor is undefined: it was default-made or moved from; make one with empty() or zeros().");
  return *impl_;
}

DType Tensor::dtype() const { return impl().dtype; }
Device Tensor::device() const { return impl().storage->device(); }
const Shape& Tensor::shape() const { return impl().shape; }
const Strides& Tensor::strides() const { return impl().strides; }
int64_t Tensor::size() const { return count(impl().shape); }
int64_t Tensor::size(int64_t axis) const { return shape()[wrap_axis(axis, rank(), "size")]; }
bool Tensor::is_contiguous() const { return is_row_major(impl().shape, impl().strides); }
const std::shared_ptr<Storage>& Tensor::storage() const { return impl().storage; }
int64_t Tensor::offset() const { return impl().offset; }
std::shared_ptr<TapeState>& Tensor::tape_state() const {
  impl();
  return impl_->tape;
}

View Tensor::view() const {
  const Impl& t = impl();
  return {static_cast<std::byte*>(t.storage->data()) + t.offset * size_of(t.dtype), t.dtype,
          t.storage->device(), t.shape, t.strides};
}

void* Tensor::checked_data(DType wanted) const {
  require(dtype() == wanted, "data: the tensor is ", dtype(), ", not ", wanted,
          "; convert with to(DType::", wanted, ").");
  require(device().is_cpu(), "data: the tensor is on ", device(), "; move it with to(Device::cpu()).");
  require(is_contiguous(), "data: the tensor ", shape(), " is a strided view; call contiguous() first.");
  if (host_access_hook) host_access_hook(*this, "data()");
  storage()->hand_out();
  return view().data;
}

const void* Tensor::only_element() const {
  require(size() == 1, "item: needs exactly one element, got shape ", shape(), ".");
  return host_element(*this, 0);
}

bool Tensor::owns_memory_alone(long others) const {
  return impl_.use_count() == 1 && storage().use_count() == 1 + others;
}

double Tensor::at(std::initializer_list<int64_t> index) const {
  require(int(index.size()) == rank(), "at: ", index.size(), " indices for shape ", shape(), ".");
  int64_t offset = 0;
  int axis = 0;
  for (int64_t i : index) {
    const int64_t extent = shape()[axis];
    require(i >= -extent && i < extent, "at: index ", i, " is outside axis ", axis, " of shape ", shape(),
            ".");
    offset += (i < 0 ? i + extent : i) * strides()[axis++];
  }
  return at_offset(*this, offset);
}

const void* host_element(const Tensor& x, int64_t offset) {
  if (host_access_hook) host_access_hook(x, "item()");
  const std::byte* element = static_cast<const std::byte*>(x.view().data) + offset * size_of(x.dtype());
  if (x.device().is_cpu()) return element;
  thread_local std::byte here[16];
  cuda::copy(here, Device::cpu(), element, x.device(), size_of(x.dtype()));
  return here;
}

double at_offset(const Tensor& x, int64_t offset) {
  const void* element = host_element(x, offset);
  return dispatch(storage_types, x.dtype(), "at",
                  [=]<class T>() { return convert<double>(*static_cast<const T*>(element)); });
}

}  // namespace uncial
