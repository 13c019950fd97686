// fit() and what it returns.

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdio>

#include "callback.h"
#include "optim.h"
#include "train.h"

namespace uncial::python {
namespace {

using train::EpochRecord;
using train::History;

optim::Recipe recipe_of(nb::handle optimizer) {
  if (optimizer.is_none()) return {};
  require(nb::isinstance<optim::Optimizer>(optimizer),
          "fit: optimizer must be one of uncial.optim, such as optim.Adam(lr=1e-3).");
  return nb::cast<optim::Optimizer&>(optimizer);
}

nb::object progress_of(nb::handle progress) {
  if (progress.is_none() || progress.is(nb::bool_(false))) return nb::none();
  if (progress.is(nb::bool_(true))) return nb::module_::import_("uncial._progress").attr("ProgressLine")();
  return nb::borrow(progress);
}

History fit(nb::handle net, const data::Dataset& data, const std::optional<data::Dataset>& validation,
            int64_t epochs, int64_t batch, vision::Augment augment, nb::handle optimizer, nb::handle schedule,
            double label_smoothing, double average, double clip_norm, uint64_t seed, nb::handle callbacks,
            nb::handle progress, bool resume, bool record, bool drop_last, const std::string& precision,
            nb::handle device) {
  require(nb::isinstance<nn::Module>(net), "fit: net must be a module of uncial.nn, got ", class_name(net),
          ".");
  const auto module = nb::cast<std::shared_ptr<nn::Module>>(net);
  if (!device.is_none()) module->to(device_of(device));
  Watcher watcher(progress_of(progress));
  const train::FitOptions options{.validation = validation,
                                  .epochs = epochs,
                                  .batch = batch,
                                  .augment = std::move(augment),
                                  .optimizer = recipe_of(optimizer),
                                  .schedule = schedule_of(schedule),
                                  .label_smoothing = label_smoothing,
                                  .average = average,
                                  .clip_norm = clip_norm,
                                  .seed = seed,
                                  .callbacks = callbacks_of(callbacks, net),
                                  .progress = std::ref(watcher),
                                  .stop = watcher.token(),
                                  .resume = resume,
                                  .record = record,
                                  .drop_last = drop_last,
                                  .precision = precision_of(precision)};
  History history;
  {
    const nb::gil_scoped_release unlocked;
    history = train::fit(*module, data, options);
  }
  watcher.raise_kept();
  return history;
}

// ---- History ----------------------------------------------------------------------------------------------

std::vector<double> column(const History& history, double EpochRecord::*member) {
  std::vector<double> values;
  for (const EpochRecord& epoch : history.epochs) values.push_back(epoch.*member);
  return values;
}

struct Column {
  const char* name;
  double EpochRecord::*member;
};
const Column kColumns[] = {{"loss", &EpochRecord::loss},
                           {"accuracy", &EpochRecord::accuracy},
                           {"validation_loss", &EpochRecord::validation_loss},
                           {"validation_accuracy", &EpochRecord::validation_accuracy},
                           {"val_loss", &EpochRecord::validation_loss},  // as Keras calls them
                           {"val_accuracy", &EpochRecord::validation_accuracy},
                           {"lr", &EpochRecord::lr},
                           {"seconds", &EpochRecord::seconds},
                           {"samples_per_second", &EpochRecord::samples_per_second}};

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

std::string repr_of(const History& history) {
  std::string text = join("History(", history.epochs.size(), " epochs");
  if (history.best_epoch > 0)
    text += join(", best ", history.best_epoch, ": validation accuracy ",
                 fixed(100 * history.epochs[size_t(history.best_epoch - 1)].validation_accuracy, 2), " %");
  return text + join("; ", history.stop_reason, ")");
}

std::string html_of(const History& history) {
  std::string rows;
  for (const EpochRecord& e : history.epochs) {
    const bool best = e.epoch == history.best_epoch;
    rows += join(best ? "<tr style=\"font-weight:bold\">" : "<tr>", "<td>", e.epoch, "</td><td>",
                 fixed(e.loss, 4), "</td><td>", fixed(100 * e.accuracy, 2), " %</td><td>",
                 fixed(e.validation_loss, 4), "</td><td>", fixed(100 * e.validation_accuracy, 2),
                 " %</td><td>", fixed(e.seconds, 1), "</td></tr>");
  }
  return join(
      "<table><thead><tr><th>epoch</th><th>loss</th><th>accuracy</th><th>validation loss</th><th>validation "
      "accuracy</th>"
      "<th>seconds</th></tr></thead><tbody>",
      rows, "</tbody></table><p>", escaped(history.stop_reason), "</p>");
}

}  // namespace

void bind_history(nb::module_& m) {
  nb::class_<History> history(m, "History", "What a run did, epoch by epoch: a list for each figure.");
  for (const Column& c : kColumns)
    history.def_prop_ro(c.name, [member = c.member](const History& h) { return column(h, member); });
  history
      .def_prop_ro("epoch",
                   [](const History& h) {
                     std::vector<int64_t> numbers;
                     for (const EpochRecord& e : h.epochs) numbers.push_back(e.epoch);
                     return numbers;
                   })
      .def_prop_ro(
          "epochs", [](const History& h) { return h.epochs; }, "The records themselves.")
      .def_ro("best_epoch", &History::best_epoch, "Highest validation accuracy; 0 without validation.")
      .def_ro("stop_reason", &History::stop_reason)
      .def("csv", &History::csv)
      .def("json", &History::json)
      .def("__len__", [](const History& h) { return h.epochs.size(); })
      .def(
          "__getitem__",
          [](nb::handle self, const std::string& figure) {
            if (figure.starts_with("_") || !nb::hasattr(self, figure.c_str()))
              throw nb::key_error(figure.c_str());
            return self.attr(figure.c_str());
          },
          "figure"_a)
      .def("__repr__", repr_of)
      .def("_repr_html_", html_of);
}

void bind_fit(nb::module_& m) {
  m.def("fit", fit, "net"_a, "data"_a, "validation"_a = nb::none(), nb::kw_only(), "epochs"_a = 20,
        "batch"_a = 128, "augment"_a.none() = nb::none(), "optimizer"_a = nb::none(),
        "schedule"_a = nb::none(), "label_smoothing"_a = 0.0, "average"_a = 0.0, "clip_norm"_a = 0.0,
        "seed"_a = 0, "callbacks"_a = nb::make_tuple(), "progress"_a = nb::none(), "resume"_a = false,
        "record"_a = true, "drop_last"_a = true, "precision"_a = "float32", "device"_a = nb::none(),
        "Trains the net in place with cross-entropy on its outputs and returns its history. python/README.md "
        "has the options.");
}

}  // namespace uncial::python
