// The operators by name: as functions of the module, and those of one tensor as methods, too.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>

#include "binding.h"
#include "uncial/ops/ops.h"

namespace uncial::python {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

struct NamedUnary {
  const char* name;
  Unary f;
};
const std::array kUnary{NamedUnary{"exp", exp},
                        NamedUnary{"log", log},
                        NamedUnary{"sqrt", sqrt},
                        NamedUnary{"abs", abs},
                        NamedUnary{"sign", sign},
                        NamedUnary{"square", square},
                        NamedUnary{"reciprocal", reciprocal},
                        NamedUnary{"sin", sin},
                        NamedUnary{"cos", cos},
                        NamedUnary{"tanh", tanh},
                        NamedUnary{"sigmoid", sigmoid},
                        NamedUnary{"relu", relu},
                        NamedUnary{"gelu", gelu},
                        NamedUnary{"silu", silu},
                        NamedUnary{"softplus", softplus},
                        NamedUnary{"logical_not", logical_not},
                        NamedUnary{"global_avg_pool2d", global_avg_pool2d},
                        NamedUnary{"global_max_pool2d", global_max_pool2d}};

/// A function of the module and a method of Tensor.
template <class F, class... Extra>
void def_both(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, F f, const Extra&... extra) {
  m.def(name, f, "x"_a, extra...);
  tensor.def(name, f, extra...);
}

void bind_elementwise(nb::module_& m, nb::class_<Tensor>& tensor) {
  for (const NamedUnary& op : kUnary) def_both(m, tensor, op.name, op.f, Unlocked());
  def_both(
      m, tensor, "clip", [](const Tensor& x, double low, double high) { return clip(x, low, high); }, "low"_a,
      "high"_a, Unlocked());
  def_both(m, tensor, "leaky_relu", leaky_relu, "slope"_a = 0.01, Unlocked());
  def_both(m, tensor, "elu", elu, "alpha"_a = 1.0, Unlocked());
  def_both(m, tensor, "softmax", softmax, "axis"_a = -1, Unlocked());
  def_both(m, tensor, "log_softmax", log_softmax, "axis"_a = -1, Unlocked());
  const auto binary = [&m](const char* name, Binary f) { m.def(name, f, "a"_a, "b"_a, Unlocked()); };
  binary("add", add);
  binary("subtract", subtract);
  binary("multiply", multiply);
  binary("divide", divide);
  binary("pow", pow);
  binary("minimum", minimum);
  binary("maximum", maximum);
  m.def("where", where, "condition"_a, "a"_a, "b"_a, Unlocked());
}

// ---- Reductions -------------------------------------------------------------------------------------------

using ReduceAll = Tensor (*)(const Tensor&);
using ReduceAxis = Tensor (*)(const Tensor&, int64_t, KeepDims);

/// Over all axes (None), one, or several: one after the other, which sums, means and extremes allow.
Tensor reduced(const Tensor& x, nb::handle axis, bool keep, ReduceAll all, ReduceAxis one) {
  if (axis.is_none() && !keep) {
    const nb::gil_scoped_release unlocked;
    return all(x);
  }
  std::vector<int> axes;
  if (axis.is_none())
    for (int i = 0; i < x.rank(); ++i) axes.push_back(i);
  else
    for (const int64_t a : shape_of(axis)) axes.push_back(wrap_axis(a, x.rank(), "axis"));
  std::sort(axes.begin(), axes.end(), std::greater<>());
  require(std::adjacent_find(axes.begin(), axes.end()) == axes.end(), "axis: got the same axis twice.");
  const nb::gil_scoped_release unlocked;
  Tensor y = x;
  for (const int a : axes) y = one(y, a, {keep});
  return y;
}

Tensor all_or_axis(const Tensor& x, std::optional<int64_t> axis, bool keep,
                   Tensor (*one)(const Tensor&, int64_t, KeepDims)) {
  if (axis) return one(x, *axis, {keep});
  const Tensor y = one(x.reshape({-1}), 0, {});
  return keep ? y.reshape(Shape(Extents::filled(x.rank(), 1))) : y;
}

void bind_reductions(nb::module_& m, nb::class_<Tensor>& tensor) {
  const auto reduction = [&](const char* name, ReduceAll all, ReduceAxis one) {
    const std::string arguments =
        "axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor";
    const auto f = [all, one](const Tensor& x, nb::handle axis, bool keepdims) {
      return reduced(x, axis, keepdims, all, one);
    };
    m.def(name, f, "x"_a, "axis"_a = nb::none(), "keepdims"_a = false,
          nb::sig(join("def ", name, "(x: Tensor, ", arguments).c_str()));
    tensor.def(name, f, "axis"_a = nb::none(), "keepdims"_a = false,
               nb::sig(join("def ", name, "(self, ", arguments).c_str()));
  };
  reduction("sum", sum, sum);
  reduction("mean", mean, mean);
  reduction("max", max, max);
  reduction("min", min, min);
  def_both(
      m, tensor, "argmax",
      [](const Tensor& x, std::optional<int64_t> axis, bool keepdims) {
        return all_or_axis(x, axis, keepdims, argmax);
      },
      "axis"_a = nb::none(), "keepdims"_a = false, Unlocked());
  def_both(
      m, tensor, "var",
      [](const Tensor& x, std::optional<int64_t> axis, bool keepdims, bool unbiased) {
        return unbiased ? all_or_axis(x, axis, keepdims,
                                      [](const Tensor& t, int64_t a, KeepDims k) {
                                        return var(t, a, {.unbiased = true, .keep = k});
                                      })
                        : all_or_axis(x, axis, keepdims, [](const Tensor& t, int64_t a, KeepDims k) {
                            return var(t, a, {.keep = k});
                          });
      },
      "axis"_a = nb::none(), "keepdims"_a = false, "unbiased"_a = false, Unlocked());
}

// ---- Shapes -----------------------------------------------------------------------------------------------

/// reshape(2, 3) and reshape((2, 3)).
Shape spread_shape(const nb::args& extents) {
  return extents.size() == 1 ? shape_of(extents[0]) : shape_of(extents);
}

Tensor stacked(const Tensors& parts, int64_t axis) {
  Tensors raised;
  for (const Tensor& part : parts) raised.push_back(part.unsqueeze(axis));
  return concat(raised, axis);
}

void bind_shapes(nb::module_& m, nb::class_<Tensor>& tensor) {
  tensor
      .def(
          "reshape", [](const Tensor& x, const nb::args& shape) { return x.reshape(spread_shape(shape)); },
          "One extent may be -1.")
      .def("permute", [](const Tensor& x, const nb::args& axes) { return x.permute(spread_shape(axes)); })
      .def("expand", [](const Tensor& x, const nb::args& shape) { return x.expand(spread_shape(shape)); })
      .def(
          "transpose", [](const Tensor& x, int64_t a, int64_t b) { return x.transpose(a, b); }, "a"_a = -2,
          "b"_a = -1)
      .def_prop_ro("T", [](const Tensor& x) {
        Extents axes;
        for (int i = x.rank(); i-- > 0;) axes.push_back(i);
        return x.permute(axes);
      });
  m.def(
      "reshape", [](const Tensor& x, nb::handle shape) { return x.reshape(shape_of(shape)); }, "x"_a,
      "shape"_a);
  m.def(
      "permute", [](const Tensor& x, nb::handle axes) { return x.permute(shape_of(axes)); }, "x"_a, "axes"_a);
  m.def(
      "expand", [](const Tensor& x, nb::handle shape) { return x.expand(shape_of(shape)); }, "x"_a,
      "shape"_a);
  m.def(
      "transpose", [](const Tensor& x, int64_t a, int64_t b) { return x.transpose(a, b); }, "x"_a, "a"_a = -2,
      "b"_a = -1);
  def_both(
      m, tensor, "flatten", [](const Tensor& x, int64_t first) { return x.flatten(first); },
      "first_axis"_a = 0);
  def_both(
      m, tensor, "squeeze", [](const Tensor& x, int64_t axis) { return x.squeeze(axis); }, "axis"_a);
  def_both(
      m, tensor, "unsqueeze", [](const Tensor& x, int64_t axis) { return x.unsqueeze(axis); }, "axis"_a);
  m.def("concat", concat, "parts"_a, "axis"_a = 0, Unlocked());
  m.def("stack", stacked, "parts"_a, "axis"_a = 0, Unlocked());
  m.def("pad", pad, "x"_a, "pads"_a, "value"_a = 0.0, Unlocked(), "pads: (before, after) for each axis.");
  m.def("gather", gather, "x"_a, "indices"_a, "axis"_a = 0, Unlocked());
  m.def(
      "one_hot",
      [](const Tensor& indices, int64_t classes, nb::handle dtype) {
        return one_hot(indices, classes, dtype_of(dtype));
      },
      "indices"_a, "classes"_a, "dtype"_a = "float32");
}

// ---- Layers as functions, losses --------------------------------------------------------------------------

void bind_layers(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def(
      "matmul",
      [](const Tensor& a, const Tensor& b, const std::string& p) { return matmul(a, b, precision_of(p)); },
      "a"_a, "b"_a, "precision"_a = "float32", Unlocked());
  m.def(
      "linear",
      [](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias, const std::string& p) {
        return linear(x, weight, bias.value_or(Tensor()), precision_of(p));
      },
      "x"_a, "weight"_a, "bias"_a = nb::none(), "precision"_a = "float32", Unlocked());
  m.def(
      "conv2d",
      [](const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias, int64_t stride, int64_t padding,
         int64_t dilation, int64_t groups, const std::string& p) {
        return conv2d(x, w, bias.value_or(Tensor()), {stride, padding, dilation, groups, precision_of(p)});
      },
      "x"_a, "weight"_a, "bias"_a = nb::none(), "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1,
      "groups"_a = 1, "precision"_a = "float32", Unlocked());
  m.def(
      "conv_transpose2d",
      [](const Tensor& x, const Tensor& w, const std::optional<Tensor>& bias, int64_t stride, int64_t padding,
         int64_t output_padding, int64_t dilation, int64_t groups, const std::string& p) {
        return conv_transpose2d(x, w, bias.value_or(Tensor()),
                                {stride, padding, output_padding, dilation, groups, precision_of(p)});
      },
      "x"_a, "weight"_a, "bias"_a = nb::none(), "stride"_a = 1, "padding"_a = 0, "output_padding"_a = 0,
      "dilation"_a = 1, "groups"_a = 1, "precision"_a = "float32", Unlocked());
  const auto pool = [&m](const char* name, Tensor (*f)(const Tensor&, PoolOptions)) {
    m.def(
        name,
        [f](const Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
          return f(x, {kernel, stride, padding});
        },
        "x"_a, "kernel"_a = 2, "stride"_a = 0, "padding"_a = 0, Unlocked(), "stride 0: as kernel.");
  };
  pool("max_pool2d", max_pool2d);
  pool("avg_pool2d", avg_pool2d);
  m.def(
      "batch_norm",
      [](const Tensor& x, const std::optional<Tensor>& scale, const std::optional<Tensor>& shift,
         double epsilon) {
        return batch_norm(x, scale.value_or(Tensor()), shift.value_or(Tensor()), epsilon).y;
      },
      "x"_a, "scale"_a = nb::none(), "shift"_a = nb::none(), "epsilon"_a = 1e-5, Unlocked());
  m.def(
      "layer_norm",
      [](const Tensor& x, const std::optional<Tensor>& scale, const std::optional<Tensor>& shift,
         double epsilon) {
        return layer_norm(x, scale.value_or(Tensor()), shift.value_or(Tensor()), epsilon);
      },
      "x"_a, "scale"_a = nb::none(), "shift"_a = nb::none(), "epsilon"_a = 1e-5, Unlocked());
  def_both(
      m, tensor, "dropout", [](const Tensor& x, double p) { return dropout(x, p); }, "p"_a = 0.5, Unlocked());
}

void bind_losses(nb::module_& m) {
  m.def(
      "cross_entropy",
      [](const Tensor& logits, const Tensor& labels, double label_smoothing,
         const std::optional<Tensor>& class_weights) {
        return cross_entropy(logits, labels, {label_smoothing, class_weights.value_or(Tensor())});
      },
      "logits"_a, "labels"_a, "label_smoothing"_a = 0.0, "class_weights"_a = nb::none(), Unlocked(),
      "Mean of -log softmax(logits)[label].");
  const auto loss = [&m](const char* name, Binary f, const char* a, const char* b) {
    m.def(name, f, nb::arg(a), nb::arg(b), Unlocked());
  };
  loss("nll_loss", nll_loss, "log_probabilities", "labels");
  loss("mse_loss", mse_loss, "x", "y");
  loss("l1_loss", l1_loss, "x", "y");
  loss("bce_with_logits", bce_with_logits, "logits", "targets");
}

}  // namespace

void bind_functions(nb::module_& m) {
  auto tensor = nb::borrow<nb::class_<Tensor>>(m.attr("Tensor"));
  bind_elementwise(m, tensor);
  bind_reductions(m, tensor);
  bind_shapes(m, tensor);
  bind_layers(m, tensor);
  bind_losses(m);
}

}  // namespace uncial::python
