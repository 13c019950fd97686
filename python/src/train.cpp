// How good a net is, and what it says.

#include "train.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <numeric>

#include "uncial/ops/reduce.h"

namespace uncial::python {
namespace {

using train::EvaluateOptions;
using train::Report;

std::vector<int64_t> labels_of(const data::Dataset& data) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < data.size(); ++i) labels.push_back(data.label(i));
  return labels;
}

LabelledReport evaluate(const nn::Module& net, const data::Dataset& data, int64_t batch, int top_k,
                        int calibration_bins, const std::string& precision) {
  const EvaluateOptions options{batch, top_k, calibration_bins, precision_of(precision)};
  const nb::gil_scoped_release unlocked;
  return {train::evaluate(net, data, options), labels_of(data)};
}

nb::object predict(const nn::Module& net, nb::handle images, int64_t batch, const std::string& precision) {
  const EvaluateOptions options{.batch = batch, .precision = precision_of(precision)};
  Tensor x;
  if (nb::isinstance<data::Dataset>(images)) {
    const auto& data = nb::cast<data::Dataset&>(images);
    const nb::gil_scoped_release unlocked;
    x = data.range(0, data.size()).first;
  } else {
    x = images_of(images, "predict");
  }
  Tensor probabilities;
  {
    const nb::gil_scoped_release unlocked;
    probabilities = train::predict(net, x.to(net.device()), options).to(Device::cpu());
  }
  return array_of(probabilities);
}

std::vector<int64_t> guesses_of(const LabelledReport& r) {
  const Tensor best = argmax(r.report.probabilities, 1);
  const auto values = best.span<int64_t>();
  return {values.begin(), values.end()};
}

/// Positions of the wrong answers, the surest first.
nb::object wrong_of(const LabelledReport& r) {
  const std::vector<int64_t> guesses = guesses_of(r);
  const Tensor highest = max(r.report.probabilities, 1);
  std::vector<int64_t> wrong;
  for (size_t i = 0; i < guesses.size(); ++i)
    if (guesses[i] != r.labels[i]) wrong.push_back(int64_t(i));
  const float* confidence = highest.data<float>();
  std::stable_sort(wrong.begin(), wrong.end(),
                   [&](int64_t a, int64_t b) { return confidence[a] > confidence[b]; });
  return array_of(from_values<int64_t>(wrong, {int64_t(wrong.size())}));
}

void bind_report(nb::module_& m) {
  nb::class_<train::ClassReport>(m, "ClassReport")
      .def_ro("name", &train::ClassReport::name)
      .def_ro("count", &train::ClassReport::count)
      .def_ro("precision", &train::ClassReport::precision)
      .def_ro("recall", &train::ClassReport::recall)
      .def_ro("f1", &train::ClassReport::f1);
  nb::class_<LabelledReport> report(m, "Report", "Figures of a classifier on a data set.");
  const auto number = [&report](const char* name, double Report::*member) {
    report.def_prop_ro(name, [member](const LabelledReport& r) { return r.report.*member; });
  };
  number("loss", &Report::loss);
  number("accuracy", &Report::accuracy);
  number("accuracy_low", &Report::accuracy_low);
  number("accuracy_high", &Report::accuracy_high);
  number("top_k_accuracy", &Report::top_k_accuracy);
  number("calibration_error", &Report::calibration_error);
  report.def_prop_ro("samples", [](const LabelledReport& r) { return r.report.samples; })
      .def_prop_ro("errors", [](const LabelledReport& r) { return r.report.errors; })
      .def_prop_ro("classes", [](const LabelledReport& r) { return r.report.classes; })
      .def_prop_ro(
          "confusion", [](const LabelledReport& r) { return array_of(r.report.confusion); },
          nb::for_getter(nb::sig("def confusion(self) -> numpy.ndarray")),
          "(classes, classes): rows true, columns predicted.")
      .def_prop_ro(
          "probabilities", [](const LabelledReport& r) { return array_of(r.report.probabilities); },
          nb::for_getter(nb::sig("def probabilities(self) -> numpy.ndarray")), "(N, classes) float32")
      .def_prop_ro(
          "predictions", [](const LabelledReport& r) { return array_of(argmax(r.report.probabilities, 1)); },
          nb::for_getter(nb::sig("def predictions(self) -> numpy.ndarray")))
      .def_prop_ro(
          "labels",
          [](const LabelledReport& r) {
            return array_of(from_values<int64_t>(r.labels, {int64_t(r.labels.size())}));
          },
          nb::for_getter(nb::sig("def labels(self) -> numpy.ndarray")))
      .def_prop_ro("wrong", wrong_of, nb::for_getter(nb::sig("def wrong(self) -> numpy.ndarray")),
                   "Positions of the wrong answers, the surest first.")
      .def("line", [](const LabelledReport& r) { return r.report.line(); })
      .def("json", [](const LabelledReport& r) { return r.report.json(); })
      .def("__repr__", [](const LabelledReport& r) { return r.report.line(); });
}

}  // namespace

void bind_train(nb::module_& m) {
  nb::module_ room = m.def_submodule("train", "Training and judging.");
  bind_record(room);
  bind_history(room);
  bind_callbacks(room);
  bind_fit(room);
  bind_report(room);
  room.def("evaluate", evaluate, "net"_a, "data"_a, "batch"_a = 500, "top_k"_a = 3, "calibration_bins"_a = 15,
           "precision"_a = "float32", "Loss, accuracy and the rest on a data set.");
  room.def("predict", predict, "net"_a, "images"_a, "batch"_a = 500, "precision"_a = "float32",
           nb::sig("def predict(net: uncial.nn.Module, images: object, batch: int = 500, precision: str = "
                   "'float32') -> numpy.ndarray"),
           "Class probabilities (N, classes) of arrays, tensors, or a data set.");
  room.def(
      "accuracy", [](const nn::Module& net, const data::Dataset& data) { return train::accuracy(net, data); },
      "net"_a, "data"_a, Unlocked());
}

}  // namespace uncial::python
