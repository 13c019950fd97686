#include "arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <array>
#include <utility>

#include "binding.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/ops/ops.h"

namespace uncial::python {
namespace {

using AnyArray = nb::ndarray<nb::ro>;

constexpr std::array kDTypes{DType::float32, DType::float64, DType::int64,   DType::int32,
                             DType::uint8,   DType::boolean, DType::bfloat16};

std::optional<DType> dtype_named(std::string_view name) {
  for (const DType type : kDTypes)
    if (name_of(type) == name) return type;
  return std::nullopt;
}

nb::dlpack::dtype to_dlpack(DType type) {
  using Code = nb::dlpack::dtype_code;
  const Code code = type == DType::boolean    ? Code::Bool
                    : type == DType::uint8    ? Code::UInt
                    : type == DType::bfloat16 ? Code::Bfloat
                    : is_floating(type)       ? Code::Float
                                              : Code::Int;
  return {uint8_t(code), uint8_t(8 * size_of(type)), 1};
}

std::optional<DType> from_dlpack(nb::dlpack::dtype given) {
  for (const DType type : kDTypes)
    if (to_dlpack(type) == given) return type;
  return std::nullopt;
}

/// A tensor on the memory of `array`, which it keeps alive.
Tensor wrap(const AnyArray& array, DType dtype) {
  Shape shape;
  Strides strides;
  int64_t low = 0, high = 0;  // of the elements' places, relative to the first
  for (size_t i = 0; i < array.ndim(); ++i) {
    shape.push_back(int64_t(array.shape(i)));
    strides.push_back(array.stride(i));
    const int64_t reach = (shape[int(i)] - 1) * strides[int(i)];
    (reach < 0 ? low : high) += reach;
  }
  if (count(shape) == 0) return empty(shape, dtype);
  const int64_t size = size_of(dtype);
  auto* first =
      static_cast<std::byte*>(const_cast<void*>(static_cast<const void*>(array.data()))) + low * size;
  auto storage = std::make_shared<Storage>(first, (high - low + 1) * size, Device::cpu(),
                                           std::make_shared<AnyArray>(array));
  return Tensor(std::move(storage), dtype, shape, strides, -low);
}

nb::object numpy() { return nb::module_::import_("numpy"); }

/// `data` as an array of a dtype that is one of ours; a copy where it was not.
nb::object supported_array(nb::handle data) {
  nb::object array = numpy().attr("asarray")(data);
  const std::string kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  const int64_t bytes = nb::cast<int64_t>(array.attr("dtype").attr("itemsize"));
  const char* wanted = kind == "f"                  ? (bytes < 4 ? "float32" : "float64")
                       : kind == "i" || kind == "u" ? (bytes < 4 ? "int32" : "int64")
                                                    : nullptr;
  require(wanted != nullptr, "tensor: got ", text_of(data).substr(0, 200),
          ", expected numbers or an array of numbers.");
  return array.attr("astype")(wanted);
}

/// Numbers and lists of them, which have no dtype of their own.
bool is_plain(nb::handle data) {
  return nb::isinstance<nb::float_>(data) || nb::isinstance<nb::int_>(data) ||
         nb::isinstance<nb::bool_>(data) || nb::isinstance<nb::list>(data) || nb::isinstance<nb::tuple>(data);
}

/// Reads `data` through the buffer protocol or DLPack. The answer to `shared` is whether the memory is its
/// own.
Tensor read(nb::handle data, bool& shared) {
  shared = true;
  if (const Tensor* tensor = as_tensor(data)) return *tensor;
  nb::object source = nb::borrow(data);
  const bool plain = is_plain(data);
  if (plain) source = numpy().attr("asarray")(data);
  AnyArray array;
  std::optional<DType> dtype;
  if (nb::ndarray_check(source) && nb::try_cast<AnyArray>(source, array)) {
    require(array.device_type() == nb::device::cpu::value,
            "tensor: the array is not in the memory of the host. Copy it there first.");
    dtype = from_dlpack(array.dtype());
  }
  if (!dtype) {
    source = supported_array(source);
    array = nb::cast<AnyArray>(source);
    dtype = from_dlpack(array.dtype());
    ensure(dtype.has_value(), "no dtype for a converted array");
  }
  nb::ndarray<> writable;
  shared = !plain && nb::try_cast<nb::ndarray<>>(source, writable);
  Tensor x = wrap(array, *dtype);
  if (plain && *dtype == DType::float64) x = x.to(DType::float32);
  return x;
}

}  // namespace

DType dtype_of(nb::handle name) {
  std::string text;
  if (!nb::try_cast<std::string>(name, text) || !dtype_named(text)) {
    const std::string given = text_of(name);
    try {
      text = nb::cast<std::string>(numpy().attr("dtype")(name).attr("name"));
    } catch (nb::python_error&) {
      text = given;
    }
  }
  const auto dtype = dtype_named(text);
  require(dtype.has_value(), "dtype: got ", text,
          ", expected float32, float64, int64, int32, uint8, bool or bfloat16.");
  return *dtype;
}

bool is_device(nb::handle name) {
  std::string text;
  return nb::try_cast<std::string>(name, text) && (text == "cpu" || text.starts_with("cuda"));
}

Device device_of(nb::handle name) {
  std::string text;
  if (nb::try_cast<std::string>(name, text)) {
    if (text == "cpu") return Device::cpu();
    if (text == "cuda") return Device::cuda();
    if (text.starts_with("cuda:") && text.size() > 5 && text.size() < 9 &&
        text.find_first_not_of("0123456789", 5) == std::string::npos)
      return Device::cuda(std::stoi(text.substr(5)));
  }
  fail(ErrorKind::usage, "device: got ", text_of(name), ", expected \"cpu\", \"cuda\" or \"cuda:1\".");
}

Shape shape_of(nb::handle shape) {
  Shape result;
  int64_t extent = 0;
  if (nb::try_cast<int64_t>(shape, extent)) {
    result.push_back(extent);
    return result;
  }
  require(nb::isinstance<nb::sequence>(shape), "shape: got ", text_of(shape),
          ", expected an int or a tuple of ints.");
  for (nb::handle item : shape) {
    require(nb::try_cast<int64_t>(item, extent), "shape: got ", text_of(shape),
            ", expected an int or a tuple of ints.");
    result.push_back(extent);
  }
  return result;
}

nb::tuple tuple_of(const Extents& extents) {
  nb::list items;
  for (const int64_t extent : extents) items.append(extent);
  return nb::tuple(items);
}

Tensor* as_tensor(nb::handle object) {
  return nb::isinstance<Tensor>(object) ? nb::inst_ptr<Tensor>(object) : nullptr;
}

std::optional<int64_t> integer_in(nb::handle object) {
  if (nb::isinstance<nb::bool_>(object)) return std::nullopt;
  if (!nb::isinstance<nb::int_>(object)) {
    if (!PyIndex_Check(object.ptr()) || !nb::isinstance(object, numpy().attr("integer"))) return std::nullopt;
  }
  return nb::cast<int64_t>(nb::steal(PyNumber_Index(object.ptr())));
}

Tensor tensor_of(nb::handle data) {
  bool shared = false;
  return read(data, shared).detach().clone();
}

Tensor shared_tensor_of(nb::handle data) {
  bool shared = false;
  const Tensor x = read(data, shared);
  return shared ? x : x.clone();
}

Tensor input_like(nb::handle data, const Spec& like) {
  if (const Tensor* tensor = as_tensor(data)) return *tensor;
  bool shared = false;
  Tensor x = read(data, shared);
  if (x.dtype() == DType::uint8)
    x = x.to(like.dtype) / 255.0;
  else if (is_floating(x.dtype()))
    x = x.to(like.dtype);
  return x.to(like.device);
}

Tensor images_of(nb::handle images, const char* what) {
  bool shared = false;
  Tensor x = read(images, shared).detach().to(Device::cpu());
  require(x.rank() >= 2 && x.rank() <= 4, what, ": images must be (H, W), (N, H, W) or (N, C, H, W), got ",
          x.shape(), ".");
  if (x.rank() == 2) x = x.unsqueeze(0);
  if (x.rank() == 3) x = x.unsqueeze(1);
  return x.dtype() == DType::uint8 ? x.to(DType::float32) / 255.0 : x.to(DType::float32).clone();
}

namespace {

/// The memory of `x` as an array of a framework's.
template <class Framework>
nb::object window_on(const Tensor& x) {
  require(x.device().is_cpu(), "numpy: the tensor is on ", x.device(), "; move it with x.to(\"cpu\").");
  // data() tells a recording, and copies that were made of the memory, that the host may look at it and
  // write; it wants a row of elements, which any view's memory is.
  const Tensor bytes(x.storage(), DType::uint8, {x.storage()->bytes()}, {1});
  auto* first = reinterpret_cast<std::byte*>(bytes.data<uint8_t>()) + x.offset() * size_of(x.dtype());
  std::array<size_t, kMaxRank> shape{};
  for (int i = 0; i < x.rank(); ++i) shape[size_t(i)] = size_t(x.shape()[i]);
  const nb::capsule owner(new std::shared_ptr<Storage>(x.storage()),
                          [](void* p) noexcept { delete static_cast<std::shared_ptr<Storage>*>(p); });
  return nb::cast(nb::ndarray<Framework>(first, size_t(x.rank()), shape.data(), owner, x.strides().begin(),
                                         to_dlpack(x.dtype()), nb::device::cpu::value, 0));
}

}  // namespace

nb::object exported(const Tensor& x) { return window_on<nb::array_api>(x); }

nb::object array_of(const Tensor& x) {
  require(x.dtype() != DType::bfloat16, "numpy: NumPy has no bfloat16; convert with x.to(\"float32\").");
  return window_on<nb::numpy>(x);
}

nb::object optional_tensor(const Tensor& x) { return x.defined() ? nb::cast(x) : nb::none(); }

nb::dict dict_of(const NamedTensors& tensors) {
  nb::dict result;
  for (const auto& [name, tensor] : tensors) result[name.c_str()] = nb::cast(tensor);
  return result;
}

NamedTensors named_of(nb::dict tensors, const NamedTensors& like) {
  NamedTensors result;
  for (const auto& [key, value] : tensors) {
    const auto name = nb::cast<std::string>(nb::str(key));
    Tensor x = shared_tensor_of(value);
    if (!nb::isinstance<Tensor>(value))
      for (const auto& [known, tensor] : like)
        if (known == name) x = x.to(tensor.dtype());
    result.emplace_back(name, x);
  }
  return result;
}

std::string class_name(nb::handle object) {
  return nb::cast<std::string>(nb::str(object.type().attr("__name__")));
}

std::string text_of(nb::handle object) { return nb::cast<std::string>(nb::repr(object)); }

std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text)
    html += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return html;
}

}  // namespace uncial::python
