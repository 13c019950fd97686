// What Python's own signs do with tensors: arithmetic, comparisons, indexing.

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <array>
#include <cmath>

#include "binding.h"
#include "uncial/ops/ops.h"

namespace uncial::python {
namespace {

using Binary = Tensor (*)(const Tensor&, const Tensor&);

// ---- Arithmetic -------------------------------------------------------------------------------------------

/// A Python number, as a scalar tensor of x's dtype.
Tensor scalar_like(const Tensor& x, nb::handle number) {
  const double value = nb::cast<double>(number);
  require(is_floating(x.dtype()) || value == std::floor(value), "the number ", value,
          " does not fit a tensor of ", x.dtype(), "; convert that with x.to(\"float32\").");
  return full({}, value, x.dtype(), x.device());
}

/// `other` as an operand beside x; undefined when it is nothing of the kind, and Python may ask the other
/// side.
Tensor operand_beside(const Tensor& x, nb::handle other) {
  if (const Tensor* tensor = as_tensor(other)) return *tensor;
  if (nb::isinstance<nb::bool_>(other) && x.dtype() == DType::boolean)
    return full({}, nb::cast<bool>(other) ? 1 : 0, DType::boolean, x.device());
  if (nb::isinstance<nb::float_>(other) || nb::isinstance<nb::int_>(other)) return scalar_like(x, other);
  if (nb::ndarray_check(other)) return shared_tensor_of(other).to(x.dtype()).to(x.device());
  return {};
}

nb::object apply(Binary f, const Tensor& x, nb::handle other, bool reflected) {
  const Tensor y = operand_beside(x, other);
  if (!y.defined()) return nb::not_implemented();
  Tensor result;
  {
    const nb::gil_scoped_release unlocked;
    result = reflected ? f(y, x) : f(x, y);
  }
  return nb::cast(result);
}

struct Sign {
  const char *name, *reflected;
  Binary f;
};
const std::array kSigns{
    Sign{"__add__", "__radd__", add},
    Sign{"__sub__", "__rsub__", subtract},
    Sign{"__mul__", "__rmul__", multiply},
    Sign{"__truediv__", "__rtruediv__", divide},
    Sign{"__pow__", "__rpow__", pow},
    Sign{"__matmul__", "__rmatmul__", [](const Tensor& a, const Tensor& b) { return matmul(a, b); }},
    Sign{"__and__", "__rand__", logical_and},
    Sign{"__or__", "__ror__", logical_or},
    Sign{"__xor__", "__rxor__", logical_xor},
    Sign{"__eq__", nullptr, equal},
    Sign{"__ne__", nullptr, not_equal},
    Sign{"__lt__", nullptr, less},
    Sign{"__le__", nullptr, less_equal},
    Sign{"__gt__", nullptr, greater},
    Sign{"__ge__", nullptr, greater_equal}};

void bind_signs(nb::class_<Tensor>& tensor) {
  for (const Sign& sign : kSigns) {
    const auto bind = [&](const char* name, bool reflected) {
      const std::string signature = join("def ", name, "(self, other: object) -> Tensor");
      tensor.def(
          name,
          [f = sign.f, reflected](const Tensor& x, nb::handle other) {
            return apply(f, x, other, reflected);
          },
          nb::is_operator(), nb::arg("other").none(), nb::sig(signature.c_str()));
    };
    bind(sign.name, false);
    if (sign.reflected) bind(sign.reflected, true);
  }
  tensor
      .def(
          "__neg__", [](const Tensor& x) { return -x; }, Unlocked())
      .def("__pos__", [](const Tensor& x) { return x; })
      .def(
          "__abs__", [](const Tensor& x) { return abs(x); }, Unlocked())
      .def(
          "__invert__", [](const Tensor& x) { return logical_not(x); }, Unlocked())
      .def("__hash__", [](nb::handle self) { return reinterpret_cast<intptr_t>(self.ptr()) >> 4; });
}

// ---- Indexing ---------------------------------------------------------------------------------------------

Slice slice_of(nb::handle slice) {
  const auto part = [&](const char* name) {
    const nb::object value = slice.attr(name);
    return value.is_none() ? std::nullopt : std::optional(nb::cast<int64_t>(value));
  };
  const int64_t step = part("step").value_or(1);
  return {.start = part("start").value_or(step < 0 ? -1 : 0), .stop = part("stop"), .step = step};
}

/// int64 positions along one axis: of a list, an array, or of what is true in a mask.
Tensor positions_of(nb::handle index) {
  const nb::object numpy = nb::module_::import_("numpy");
  nb::object array = numpy.attr("asarray")(index);
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  if (kind == "b") array = numpy.attr("flatnonzero")(array);
  require(kind == "b" || kind == "i" || kind == "u" || nb::cast<int64_t>(array.attr("size")) == 0,
          "index: got an array of ", text_of(array.attr("dtype")), ", expected ints or bools.");
  return tensor_of(array.attr("astype")("int64"));
}

int64_t rank_of(nb::handle array) {
  return nb::cast<int64_t>(nb::module_::import_("numpy").attr("ndim")(array));
}

bool is_mask(nb::handle index) {
  if (const Tensor* tensor = as_tensor(index)) return tensor->dtype() == DType::boolean;
  const nb::object array = nb::module_::import_("numpy").attr("asarray")(index);
  return nb::cast<std::string>(array.attr("dtype").attr("kind")) == "b";
}

/// Walks over the axes of a tensor, an index after the other.
class Indexing {
 public:
  explicit Indexing(const Tensor& x) : y_(x) {}

  void apply(nb::handle index, int axes_after) {
    if (index.is_none()) {
      y_ = y_.unsqueeze(axis_++);
    } else if (nb::isinstance<nb::ellipsis>(index)) {
      axis_ = y_.rank() - axes_after;
    } else if (nb::isinstance<nb::slice>(index)) {
      y_ = y_.slice(axis_++, slice_of(index));
    } else if (const auto i = integer_in(index)) {
      select(*i);
    } else {
      gather_at(index);
    }
  }
  const Tensor& result() const { return y_; }

 private:
  void select(int64_t i) {
    const int64_t extent = y_.shape()[axis_];
    if (i < -extent || i >= extent)  // an IndexError, as Python's own protocols expect it
      throw nb::index_error(
          join("index ", i, " is outside axis ", axis_, " of shape ", y_.shape(), ".").c_str());
    y_ = y_.select(axis_, i);
  }

  void gather_at(nb::handle index) {
    require(!gathered_, "index: at most one array or list may be in an index.");
    gathered_ = true;
    Shape shape = y_.shape(), result;
    const int rank = int(rank_of(index));
    if (is_mask(index)) {
      const Shape mask = shape_of(nb::module_::import_("numpy").attr("shape")(index));
      for (int i = 0; i < rank; ++i)
        require(axis_ + i < y_.rank() && mask[i] == shape[axis_ + i], "index: a mask ", mask,
                " does not fit axis ", axis_, " of shape ", shape, ".");
      for (int i = 1; i < rank; ++i) {
        shape[axis_] *= shape[axis_ + 1];
        shape.erase(axis_ + 1);
      }
      y_ = gather(y_.reshape(shape), positions_of(index), axis_++);
      return;
    }
    const Shape extents = shape_of(nb::module_::import_("numpy").attr("shape")(index));
    const Tensor picked = gather(y_, positions_of(index).reshape({-1}), axis_);
    for (int i = 0; i < axis_; ++i) result.push_back(shape[i]);
    for (const int64_t extent : extents) result.push_back(extent);
    for (int i = axis_ + 1; i < shape.rank(); ++i) result.push_back(shape[i]);
    y_ = picked.reshape(result);
    axis_ += rank;
  }

  Tensor y_;
  int axis_ = 0;
  bool gathered_ = false;
};

/// Axes that an index takes away or walks over.
int axes_of(nb::handle index) {
  if (index.is_none() || nb::isinstance<nb::ellipsis>(index)) return 0;
  if (nb::isinstance<nb::slice>(index) || integer_in(index)) return 1;
  return is_mask(index) ? int(rank_of(index)) : 1;
}

Tensor indexed(const Tensor& x, nb::handle key) {
  std::vector<nb::object> items;
  if (nb::isinstance<nb::tuple>(key))
    for (nb::handle item : key) items.push_back(nb::borrow(item));
  else
    items.push_back(nb::borrow(key));
  int axes = 0;
  for (const nb::object& item : items) axes += axes_of(item);
  if (axes > x.rank())
    throw nb::index_error(join("too many indices: ", axes, " for shape ", x.shape(), ".").c_str());
  Indexing indexing(x);
  for (const nb::object& item : items) {
    axes -= axes_of(item);
    indexing.apply(item, axes);
  }
  return indexing.result();
}

/// NumPy's assignment on the tensor's memory: any index, any broadcasting.
void assign(const Tensor& x, nb::handle key, nb::handle value) {
  nb::object array = array_of(x);
  array[key] = value;
  x.mark_changed();
}

}  // namespace

void bind_operators(nb::module_& m) {
  auto tensor = nb::borrow<nb::class_<Tensor>>(m.attr("Tensor"));
  bind_signs(tensor);
  tensor
      .def("__getitem__", indexed, nb::arg("key").none(),
           "A view for ints, slices, None and ...; a copy for a list, array or mask.")
      .def("__setitem__", assign, nb::arg("key").none(), "value"_a)
      .def("__iter__", [](const Tensor& x) {
        require(x.rank() > 0, "iteration over a scalar tensor.");
        nb::list rows;
        for (int64_t i = 0; i < x.size(0); ++i) rows.append(x.select(0, i));
        return nb::iter(rows);
      });
}

}  // namespace uncial::python
