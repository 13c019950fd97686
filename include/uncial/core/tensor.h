#pragma once
/// @file tensor.h
/// The n-dimensional array. Layout is row-major N C H W for users; views share memory.

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "uncial/core/convert.h"
#include "uncial/core/dtype.h"
#include "uncial/core/shape.h"
#include "uncial/core/storage.h"
#include "uncial/core/view.h"

namespace uncial {

class Tensor;
using Tensors = std::vector<Tensor>;

/// Per-tensor state of the tape (autograd/tape.h defines what is inside).
struct TapeState;

/// Options of reductions: keep the reduced axes with extent 1.
struct KeepDims {
  bool value = false;
};
inline constexpr KeepDims keep_dims{true};

/// A half-open range with a step for slice(); `stop` defaults to the end. Negative bounds count from the end.
struct Slice {
  int64_t start = 0;
  std::optional<int64_t> stop = std::nullopt;
  int64_t step = 1;
};

/// A handle on shared memory: copying a Tensor aliases it, clone() copies it. A default-made Tensor is
/// undefined; every member but defined() then throws a usage Error.
///
/// Members below "Convenience" are short for the functions in ops/ and are differentiable.
class Tensor {
 public:
  Tensor() = default;
  /// Wraps `storage`; `offset` and `strides` count elements.
  Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape shape, Strides strides, int64_t offset = 0);

  bool defined() const { return impl_ != nullptr; }
  DType dtype() const;
  Device device() const;
  const Shape& shape() const;
  const Strides& strides() const;
  int rank() const { return shape().rank(); }
  /// Number of elements.
  int64_t size() const;
  /// Extent of one axis; a negative axis counts from the end.
  int64_t size(int64_t axis) const;
  int64_t bytes() const { return size() * size_of(dtype()); }
  bool is_contiguous() const;
  bool empty() const { return size() == 0; }

  /// The elements of a contiguous CPU tensor. T must be the dtype. Throws a usage Error otherwise.
  /// Writing through it does not count as an in-place change: call mark_changed(). Not of a temporary, which
  /// may be the last to hold the memory: `for (float v : (a + b).span<float>())` would walk over freed
  /// memory.
  template <class T>
  T* data() const& {
    return static_cast<T*>(checked_data(dtype_of<T>()));
  }
  template <class T>
  T* data() const&& = delete;
  template <class T>
  std::span<T> span() const& {
    return {data<T>(), size_t(size())};
  }
  template <class T>
  std::span<T> span() const&& = delete;
  View view() const;
  Spec spec() const { return {dtype(), shape(), device()}; }
  const std::shared_ptr<Storage>& storage() const;
  int64_t offset() const;
  /// Counts an in-place change, so that backward() can refuse stale values.
  void mark_changed() const { storage()->bump_version(); }
  /// True when neither another Tensor nor anybody else but `others` holders shares this memory.
  bool owns_memory_alone(long others = 0) const;
  uint64_t version() const { return storage()->version(); }

  /// The only element, converted to T. Throws a usage Error unless size() == 1.
  template <class T = double>
  T item() const {
    const void* element = only_element();
    return dispatch(storage_types, dtype(), "item",
                    [=]<class S>() -> T { return convert<T>(*static_cast<const S*>(element)); });
  }
  /// One element, by an index for each axis (negative ones count from the end), as double.
  double at(std::initializer_list<int64_t> index) const;

  /// A copy in memory of its own, row-major; differentiable.
  Tensor clone() const;
  /// The same memory, cut off from the tape.
  Tensor detach() const;
  /// Itself when row-major already, else a row-major copy; differentiable.
  Tensor contiguous() const;
  /// Converted (float to integer truncates towards zero); itself when nothing changes; differentiable
  /// between float types.
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;
  /// Overwrites the elements with those of `source`, broadcast and converted. In place, not differentiable.
  void copy_(const Tensor& source) const;
  /// Overwrites every element. In place, not differentiable.
  void fill_(double value) const;

  // The tape (defined in autograd/)
  /// Asks for a gradient of this leaf. Throws a usage Error for integer tensors and for results of operators.
  const Tensor& set_requires_grad(bool requires_grad = true) const;
  bool requires_grad() const;
  bool is_leaf() const;
  /// Gradient accumulated by backward(); undefined when none came.
  Tensor grad() const;
  void set_grad(Tensor gradient) const;
  void zero_grad() const { set_grad(Tensor()); }
  /// Gradients of this scalar with respect to every leaf that asked for one, added to their grad().
  /// The graph is freed afterwards unless `retain_graph`.
  void backward(bool retain_graph = false) const;
  /// The same for a tensor of any shape; `gradient` is dLoss/dthis.
  void backward(const Tensor& gradient, bool retain_graph = false) const;
  std::shared_ptr<TapeState>& tape_state() const;

  // Convenience (defined in ops/)
  Tensor reshape(const Shape& shape) const;  ///< one extent may be -1
  Tensor permute(const Extents& axes) const;
  Tensor transpose(int64_t a = -2, int64_t b = -1) const;
  Tensor flatten(int64_t first_axis = 0) const;
  Tensor squeeze(int64_t axis) const;
  Tensor unsqueeze(int64_t axis) const;
  Tensor expand(const Shape& shape) const;
  Tensor slice(int64_t axis, Slice range) const;
  Tensor select(int64_t axis, int64_t index) const;  ///< drops the axis
  Tensor operator[](int64_t index) const { return select(0, index); }
  Tensor sum() const;
  Tensor sum(int64_t axis, KeepDims keep = {}) const;
  Tensor mean() const;
  Tensor mean(int64_t axis, KeepDims keep = {}) const;
  Tensor max(int64_t axis, KeepDims keep = {}) const;
  Tensor argmax(int64_t axis = -1) const;

  struct Impl;

 private:
  const Impl& impl() const;
  void* checked_data(DType wanted) const;
  const void* only_element() const;
  std::shared_ptr<Impl> impl_;
};

// ---- Making tensors ---------------------------------------------------------------------------------------

/// Row-major tensor with undefined content.
Tensor empty(const Shape& shape, DType dtype = DType::float32, Device device = Device::cpu());
Tensor zeros(const Shape& shape, DType dtype = DType::float32, Device device = Device::cpu());
Tensor ones(const Shape& shape, DType dtype = DType::float32, Device device = Device::cpu());
Tensor full(const Shape& shape, double value, DType dtype = DType::float32, Device device = Device::cpu());
inline Tensor empty_like(const Tensor& x) { return empty(x.shape(), x.dtype(), x.device()); }
inline Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype(), x.device()); }
/// start, start + step, ... below `stop`. Throws a usage Error when step is 0.
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::int64);
/// Standard normal values, a pure function of (shape, seed); the float32 ones are the float64 ones rounded.
Tensor randn(const Shape& shape, uint64_t seed, DType dtype = DType::float32);
/// Uniform values in [low, high), a pure function of (shape, seed).
Tensor rand(const Shape& shape, uint64_t seed, double low = 0, double high = 1, DType dtype = DType::float32);
/// Copies `values` into a tensor of `shape`. Throws a usage Error when the counts differ.
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape) {
  require(int64_t(values.size()) == count(shape), "from_values: ", values.size(), " values for shape ", shape,
          ".");
  Tensor t = empty(shape, dtype_of<T>());
  T* out = t.data<T>();
  for (const T& v : values) *out++ = v;
  return t;
}
/// from_values for a literal list: tensor<float>({1, 2, 3, 4}, {2, 2}); without a shape, a vector.
template <class T = float>
Tensor tensor(std::initializer_list<T> values, std::optional<Shape> shape = std::nullopt) {
  return from_values(std::span<const T>(values.begin(), values.size()),
                     shape ? *shape : Shape{int64_t(values.size())});
}

/// Prints shape, dtype and values; long axes are shortened in the middle.
std::ostream& operator<<(std::ostream& out, const Tensor& x);
/// The same as a string.
std::string to_string(const Tensor& x);

}  // namespace uncial
