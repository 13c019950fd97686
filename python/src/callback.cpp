#include "callback.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <filesystem>

#include "train.h"

namespace uncial::python {
namespace {

using train::EpochRecord;
using train::EpochView;
using train::History;

constexpr auto kBetweenLooks = std::chrono::milliseconds(50);

/// A function that is called after each epoch, or an object with some of a callback's methods. It lives no
/// longer than the call of fit(), which holds the GIL at both ends.
class PythonCallback final : public train::Callback {
 public:
  PythonCallback(nb::handle object, nb::handle net)
      : object_(nb::borrow(object)), net_(nb::borrow(net)), name_(class_name(object)) {}

  void on_start(const nn::Module&) override { call("on_start", net_); }
  std::string on_epoch(const EpochView& view) override {
    const nb::gil_scoped_acquire locked;
    const nb::object figures = figures_of(view);
    nb::object answer = nb::none();
    if (nb::hasattr(object_, "on_epoch"))
      answer = object_.attr("on_epoch")(figures);
    else if (PyCallable_Check(object_.ptr()))
      answer = object_(figures);
    if (answer.is_none()) return {};
    require(nb::isinstance<nb::str>(answer), "callback ", name_, ": on_epoch returned ", class_name(answer),
            ", expected None, or a text that says why the run ends.");
    return nb::cast<std::string>(answer);
  }
  void on_complete(const EpochView& view) override {
    const nb::gil_scoped_acquire locked;
    if (nb::hasattr(object_, "on_complete")) object_.attr("on_complete")(figures_of(view));
  }
  void on_end(nn::Module&, const History& history) override { call("on_end", net_, history); }
  std::string name() const override { return "callback " + name_; }

 private:
  template <class... Arguments>
  void call(const char* method, const Arguments&... arguments) {
    const nb::gil_scoped_acquire locked;
    if (nb::hasattr(object_, method)) object_.attr(method)(arguments...);
  }
  nb::object figures_of(const EpochView& view) const {
    return nb::cast(EpochFigures{net_, view.history, view.weights});
  }

  nb::object object_, net_;
  std::string name_;
};

void bind_view(nb::module_& m) {
  const auto figure = [](double EpochRecord::*member) {
    return [member](const EpochFigures& view) { return view.now().*member; };
  };
  nb::class_<EpochFigures>(m, "EpochView", "What a callback sees at the end of an epoch.")
      .def_ro("net", &EpochFigures::net)
      .def_ro("history", &EpochFigures::history)
      .def_prop_ro(
          "weights", [](const EpochFigures& view) { return dict_of(view.weights); },
          "Those that were validated; they share memory: clone what must be kept.")
      .def_prop_ro("epoch", [](const EpochFigures& view) { return view.now().epoch; })
      .def_prop_ro("loss", figure(&EpochRecord::loss))
      .def_prop_ro("accuracy", figure(&EpochRecord::accuracy))
      .def_prop_ro("validation_loss", figure(&EpochRecord::validation_loss))
      .def_prop_ro("validation_accuracy", figure(&EpochRecord::validation_accuracy))
      .def_prop_ro("lr", figure(&EpochRecord::lr))
      .def_prop_ro("seconds", figure(&EpochRecord::seconds))
      .def_prop_ro("samples_per_second", figure(&EpochRecord::samples_per_second));
}

void bind_progress(nb::module_& m) {
  const auto count = [](int64_t train::Progress::*member) {
    return [member](const ProgressFigures& p) { return p.now.*member; };
  };
  const auto figure = [](double train::Progress::*member) {
    return [member](const ProgressFigures& p) { return p.now.*member; };
  };
  nb::class_<ProgressFigures>(m, "Progress", "How far a run is; means are those of the epoch so far.")
      .def_prop_ro("epoch", count(&train::Progress::epoch))
      .def_prop_ro("epochs", count(&train::Progress::epochs))
      .def_prop_ro("batch", count(&train::Progress::batch))
      .def_prop_ro("batches", count(&train::Progress::batches))
      .def_prop_ro("loss", figure(&train::Progress::loss))
      .def_prop_ro("accuracy", figure(&train::Progress::accuracy))
      .def_prop_ro("lr", figure(&train::Progress::lr))
      .def_prop_ro("samples_per_second", figure(&train::Progress::samples_per_second))
      .def_ro("finished", &ProgressFigures::finished,
              "The epoch's record in the call after validation, else None.");
}

}  // namespace

std::vector<train::CallbackPtr> callbacks_of(nb::handle callbacks, nb::handle net) {
  std::vector<train::CallbackPtr> all;
  const auto add = [&](nb::handle item) {
    if (nb::isinstance<train::Callback>(item))
      all.push_back(nb::cast<train::CallbackPtr>(item));
    else
      all.push_back(std::make_shared<PythonCallback>(item, net));
  };
  if (nb::isinstance<nb::list>(callbacks) || nb::isinstance<nb::tuple>(callbacks))
    for (nb::handle item : callbacks) add(item);
  else if (!callbacks.is_none())
    add(callbacks);
  return all;
}

void Watcher::operator()(const train::Progress& progress) {
  const auto now = Clock::now();
  if ((now < next_ && !progress.finished) || error_) return;
  next_ = now + kBetweenLooks;
  const nb::gil_scoped_acquire locked;
  try {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (progress_.is_none()) return;
    ProgressFigures figures{progress, std::nullopt};
    if (progress.finished) figures.finished = *progress.finished;
    figures.now.finished = nullptr;
    progress_(figures);
  } catch (nb::python_error& error) {
    error_.emplace(error);
    stop_.request_stop();
  }
}

void Watcher::raise_kept() {
  if (!error_) return;
  error_->restore();
  error_.reset();
  throw nb::python_error();
}

void bind_record(nb::module_& m) {
  nb::class_<EpochRecord>(m, "EpochRecord", "One epoch; validation figures are NaN without a validation set.")
      .def_ro("epoch", &EpochRecord::epoch)
      .def_ro("loss", &EpochRecord::loss)
      .def_ro("accuracy", &EpochRecord::accuracy)
      .def_ro("validation_loss", &EpochRecord::validation_loss)
      .def_ro("validation_accuracy", &EpochRecord::validation_accuracy)
      .def_ro("lr", &EpochRecord::lr)
      .def_ro("seconds", &EpochRecord::seconds)
      .def_ro("samples_per_second", &EpochRecord::samples_per_second);
}

void bind_callbacks(nb::module_& m) {
  bind_view(m);
  bind_progress(m);
  nb::class_<train::Callback>(m, "NativeCallback", "A callback of the library's own.")
      .def("__repr__", [](const train::Callback& callback) { return callback.name(); });
  m.def(
      "EarlyStopping",
      [](int patience, double min_delta, bool restore_best) {
        return train::EarlyStopping(
            {.patience = patience, .min_delta = min_delta, .restore_best = restore_best});
      },
      "patience"_a = 5, "min_delta"_a = 0.0, "restore_best"_a = true,
      "Ends the run after `patience` epochs without a better validation accuracy; the net gets its best "
      "weights.");
  m.def(
      "Checkpoint",
      [](const std::filesystem::path& prefix, bool best, bool final, bool resumable) {
        return train::Checkpoint(prefix, {.best = best, .final = final, .resumable = resumable});
      },
      "prefix"_a, "best"_a = true, "final"_a = true, "resumable"_a = true,
      "Writes PREFIX_best, PREFIX_final and PREFIX_checkpoint.safetensors; fit(resume=True) goes on from the "
      "last.");
}

}  // namespace uncial::python
