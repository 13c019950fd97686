#pragma once
/// Python's arrays, names and sequences as the library's types, and back. All of it needs the GIL.

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "uncial/core/tensor.h"

namespace uncial::python {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// "float32", or whatever numpy.dtype() takes. Throws a usage Error that lists the names.
DType dtype_of(nanobind::handle name);
/// "cpu", "cuda", "cuda:1".
Device device_of(nanobind::handle name);
/// True for what device_of() means, so that to() can tell it from a dtype.
bool is_device(nanobind::handle name);
/// An int, or a sequence of them.
Shape shape_of(nanobind::handle shape);
nanobind::tuple tuple_of(const Extents& extents);

/// The tensor that `object` is, or null.
Tensor* as_tensor(nanobind::handle object);
/// Python's ints and NumPy's, but no arrays, which have an __index__, too; and no bools.
std::optional<int64_t> integer_in(nanobind::handle object);
/// A copy of numbers, lists, arrays. Numbers and lists of them are float32 or int64; arrays keep their dtype,
/// and those that the library has not become the next larger.
Tensor tensor_of(nanobind::handle data);
/// The same on the memory of `data` where its dtype is one of ours and it may be written to.
Tensor shared_tensor_of(nanobind::handle data);
/// shared_tensor_of() in the float type and on the device of `like`, bytes becoming b / 255.
Tensor input_like(nanobind::handle data, const Spec& like);
/// Images (H, W), (N, H, W) or (N, C, H, W) as (N, C, H, W) float32 in memory of their own, bytes becoming b
/// / 255.
Tensor images_of(nanobind::handle images, const char* what);

/// A NumPy array on the memory of `x`, which it keeps alive. Throws a usage Error for bfloat16 and for other
/// devices.
nanobind::object array_of(const Tensor& x);
/// The same for whoever speaks DLPack or the buffer protocol, without NumPy.
nanobind::object exported(const Tensor& x);

/// A tensor, or None for an undefined one.
nanobind::object optional_tensor(const Tensor& x);
nanobind::dict dict_of(const NamedTensors& tensors);
/// Values may be arrays: those take the dtype of the tensor of that name in `like`.
NamedTensors named_of(nanobind::dict tensors, const NamedTensors& like);

/// The name of the class that `object` is of.
std::string class_name(nanobind::handle object);
/// What repr() says of it.
std::string text_of(nanobind::handle object);
/// `text` for HTML.
std::string escaped(const std::string& text);

}  // namespace uncial::python
