// Layers and containers: constructors with the options of C++ as keywords.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "binding.h"
#include "nn.h"
#include "uncial/nn/nn.h"

namespace uncial::python {
namespace {

using ModulePtr = std::shared_ptr<nn::Module>;

/// A start value, as init.he_normal() gives it.
struct Start {
  nn::Initializer fill;
};
nn::Initializer fill_of(const std::optional<Start>& start) { return start ? start->fill : nn::Initializer(); }

void bind_init(nb::module_& nn_room) {
  nb::module_ m = nn_room.def_submodule("init", "Start values of parameters.");
  nb::class_<Start>(m, "Initializer");
  m.def(
      "constant", [](double value) { return Start{nn::init::constant(value)}; }, "value"_a);
  m.def(
      "uniform", [](double bound) { return Start{nn::init::uniform(bound)}; }, "bound"_a, "U(-bound, bound)");
  m.def(
      "normal", [](double deviation) { return Start{nn::init::normal(deviation)}; }, "deviation"_a);
  m.def(
      "he_uniform", [] { return Start{nn::init::he_uniform()}; }, "Variance 2 / fan_in, for ReLU.");
  m.def("he_normal", [] { return Start{nn::init::he_normal()}; });
  m.def(
      "glorot_uniform", [] { return Start{nn::init::glorot_uniform()}; }, "Variance 2 / (fan_in + fan_out).");
  m.def("glorot_normal", [] { return Start{nn::init::glorot_normal()}; });
  m.def(
      "lecun_uniform", [] { return Start{nn::init::lecun_uniform()}; }, "Variance 1 / fan_in.");
  m.def("lecun_normal", [] { return Start{nn::init::lecun_normal()}; });
  m.def(
      "orthogonal", [](double gain) { return Start{nn::init::orthogonal(gain)}; }, "gain"_a = 1.0);
}

// ---- Containers -------------------------------------------------------------------------------------------

std::vector<ModulePtr> modules_of(nb::handle items) {
  std::vector<ModulePtr> modules;
  for (nb::handle item : items) {
    require(nb::isinstance<nn::Module>(item), "Sequential: got ", class_name(item), ", expected modules.");
    modules.push_back(nb::cast<ModulePtr>(item));
  }
  return modules;
}

nb::object part_of(nb::handle self, nb::handle index) {
  auto& net = nb::cast<nn::Sequential&>(self);
  const nb::object modules = nb::list(self);
  if (nb::isinstance<nb::slice>(index))
    return nb::cast(std::make_shared<nn::Sequential>(modules_of(modules[index])));
  int64_t i = nb::cast<int64_t>(index);
  const int64_t size = int64_t(net.size());
  if (i < -size || i >= size) throw nb::index_error(join("no module ", i, "; there are ", size, ".").c_str());
  return modules[i < 0 ? i + size : i];
}

/// The modules of a net; each keeps the net alive, as they are parts of it that C++ may own.
nb::object parts_of(nb::handle self) {
  auto& net = nb::cast<nn::Sequential&>(self);
  nb::list modules;
  for (size_t i = 0; i < net.size(); ++i)
    modules.append(nb::cast(&net[i], nb::rv_policy::reference_internal, self));
  return nb::iter(modules);
}

void bind_containers(nb::module_& m) {
  nb::class_<nn::Sequential, nn::Module>(m, "Sequential", "Runs modules one after the other.")
      .def("__init__",
           [](nn::Sequential* self, const nb::args& modules) {
             const bool one_list = modules.size() == 1 && (nb::isinstance<nb::list>(modules[0]) ||
                                                           nb::isinstance<nb::tuple>(modules[0]));
             new (self) nn::Sequential(one_list ? modules_of(modules[0]) : modules_of(modules));
           })
      .def(
          "append",
          [](std::shared_ptr<nn::Sequential> net, ModulePtr module) {
            net->add(std::move(module));
            return net;
          },
          "module"_a)
      .def("__len__", &nn::Sequential::size)
      .def("__iter__", parts_of)
      .def("__getitem__", part_of, "index"_a, "A module, or for a slice a Sequential of the same modules.");
  nb::class_<nn::Residual, nn::Module>(m, "Residual", "body(x) + x, or body(x) + projection(x).")
      .def(
          "__init__",
          [](nn::Residual* self, ModulePtr body, ModulePtr projection) {
            new (self) nn::Residual(std::move(body), std::move(projection));
          },
          "body"_a, "projection"_a.none() = nb::none());
}

// ---- Layers with weights ----------------------------------------------------------------------------------

/// `.weight` and `.bias`; the latter is None in layers without.
template <class Layer>
nb::class_<Layer, nn::Module> weighted(nb::module_& m, const char* name, const char* doc) {
  return nb::class_<Layer, nn::Module>(m, name, doc)
      .def_prop_ro("weight", [](const Layer& layer) { return optional_tensor(layer.weight); })
      .def_prop_ro("bias", [](const Layer& layer) { return optional_tensor(layer.bias); });
}

void bind_weighted(nb::module_& m) {
  weighted<nn::Dense>(m, "Dense", "y = x W^T + b, W (out, in).")
      .def(
          "__init__",
          [](nn::Dense* self, int64_t in, int64_t out, bool bias, const std::optional<Start>& weights,
             const std::optional<Start>& biases) {
            new (self) nn::Dense(in, out, {bias, fill_of(weights), fill_of(biases)});
          },
          "in"_a, "out"_a, "bias"_a = true, nb::kw_only(), "weight_init"_a = nb::none(),
          "bias_init"_a = nb::none());
  m.attr("Linear") = m.attr("Dense");
  weighted<nn::Conv2d>(m, "Conv2d", "Convolution of `in` to `out` channels: (N, in, H, W) -> (N, out, P, Q).")
      .def(
          "__init__",
          [](nn::Conv2d* self, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding,
             int64_t dilation, int64_t groups, bool bias, const std::optional<Start>& weights,
             const std::optional<Start>& biases) {
            new (self) nn::Conv2d(
                in, out,
                {kernel, stride, padding, dilation, groups, bias, fill_of(weights), fill_of(biases)});
          },
          "in"_a, "out"_a, "kernel"_a = 3, "stride"_a = 1, "padding"_a = 0, "dilation"_a = 1, "groups"_a = 1,
          "bias"_a = true, nb::kw_only(), "weight_init"_a = nb::none(), "bias_init"_a = nb::none());
  weighted<nn::ConvTranspose2d>(m, "ConvTranspose2d", "The transpose of a convolution.")
      .def(
          "__init__",
          [](nn::ConvTranspose2d* self, int64_t in, int64_t out, int64_t kernel, int64_t stride,
             int64_t padding, int64_t output_padding, int64_t dilation, int64_t groups, bool bias,
             const std::optional<Start>& weights, const std::optional<Start>& biases) {
            new (self) nn::ConvTranspose2d(in, out,
                                           {kernel, stride, padding, output_padding, dilation, groups, bias,
                                            fill_of(weights), fill_of(biases)});
          },
          "in"_a, "out"_a, "kernel"_a = 3, "stride"_a = 1, "padding"_a = 0, "output_padding"_a = 0,
          "dilation"_a = 1, "groups"_a = 1, "bias"_a = true, nb::kw_only(), "weight_init"_a = nb::none(),
          "bias_init"_a = nb::none());
}

template <class Layer>
void batch_norm(nb::module_& m, const char* name, const char* doc) {
  weighted<Layer>(m, name, doc)
      .def(
          "__init__",
          [](Layer* self, int64_t features, double epsilon, double momentum, bool affine) {
            new (self) Layer(features, {epsilon, momentum, affine});
          },
          "features"_a, "epsilon"_a = 1e-5, "momentum"_a = 0.1, "affine"_a = true)
      .def_prop_ro("running_mean", [](const Layer& layer) { return layer.running_mean; })
      .def_prop_ro("running_var", [](const Layer& layer) { return layer.running_var; });
}

void bind_norms(nb::module_& m) {
  batch_norm<nn::BatchNorm1d>(m, "BatchNorm1d", "x (N, features) or (N, features, L).");
  batch_norm<nn::BatchNorm2d>(m, "BatchNorm2d", "x (N, features, H, W).");
  weighted<nn::LayerNorm>(m, "LayerNorm", "Normalises over the last axis.")
      .def(
          "__init__",
          [](nn::LayerNorm* self, int64_t features, double epsilon, bool affine) {
            new (self) nn::LayerNorm(features, {epsilon, affine});
          },
          "features"_a, "epsilon"_a = 1e-5, "affine"_a = true);
}

// ---- The rest ---------------------------------------------------------------------------------------------

template <class Layer>
void pool(nb::module_& m, const char* name, const char* doc) {
  nb::class_<Layer, nn::Module>(m, name, doc)
      .def(
          "__init__",
          [](Layer* self, int64_t kernel, int64_t stride, int64_t padding) {
            new (self) Layer(PoolOptions{kernel, stride, padding});
          },
          "kernel"_a = 2, "stride"_a = 0, "padding"_a = 0);
}

template <class Layer>
void plain(nb::module_& m, const char* name, const char* doc) {
  nb::class_<Layer, nn::Module>(m, name, doc).def(nb::init<>());
}

template <class Layer, class Number>
void with_number(nb::module_& m, const char* name, const char* argument, Number start, const char* doc) {
  nb::class_<Layer, nn::Module>(m, name, doc).def(nb::init<Number>(), nb::arg(argument) = start);
}

void bind_rest(nb::module_& m) {
  pool<nn::MaxPool2d>(m, "MaxPool2d", "Largest value of each window; stride 0: as kernel.");
  pool<nn::AvgPool2d>(m, "AvgPool2d", "Mean of each window; stride 0: as kernel.");
  plain<nn::GlobalAvgPool2d>(m, "GlobalAvgPool2d", "(N, C, H, W) -> (N, C, 1, 1)");
  with_number<nn::Flatten, int64_t>(m, "Flatten", "first_axis", 1,
                                    "Joins the axes from first_axis on into one.");
  with_number<nn::Dropout, double>(m, "Dropout", "p", 0.5, "In training zeroes elements with probability p.");
  plain<nn::ReLU>(m, "ReLU", "max(x, 0)");
  plain<nn::GELU>(m, "GELU", "x * Phi(x)");
  plain<nn::SiLU>(m, "SiLU", "x * sigmoid(x)");
  plain<nn::Sigmoid>(m, "Sigmoid", "1 / (1 + e^-x)");
  plain<nn::Tanh>(m, "Tanh", "(e^x - e^-x) / (e^x + e^-x)");
  plain<nn::Softplus>(m, "Softplus", "ln(1 + e^x)");
  with_number<nn::LeakyReLU, double>(m, "LeakyReLU", "slope", 0.01, "x > 0 ? x : slope * x");
  with_number<nn::ELU, double>(m, "ELU", "alpha", 1, "x > 0 ? x : alpha * (e^x - 1)");
  with_number<nn::Softmax, int64_t>(m, "Softmax", "axis", -1, "exp(x) / sum(exp(x)) along an axis");
  with_number<nn::LogSoftmax, int64_t>(m, "LogSoftmax", "axis", -1, "x - log(sum(exp(x))) along an axis");
}

}  // namespace

void bind_layers_of_nn(nb::module_& m) {
  bind_init(m);
  bind_containers(m);
  bind_weighted(m);
  bind_norms(m);
  bind_rest(m);
}

void bind_nn(nb::module_& m) {
  nb::module_ room = m.def_submodule("nn", "What networks are made of.");
  bind_module(room);
  bind_summary(room);
  bind_layers_of_nn(room);
}

}  // namespace uncial::python
