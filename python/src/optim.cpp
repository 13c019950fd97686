// Optimisers, ready to step or as recipes for fit(), and schedules.

#include "optim.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "uncial/optim/loss_scale.h"
#include "uncial/optim/optimizer.h"

namespace uncial::python {
namespace {

using Parameters = std::optional<Tensors>;

/// Over parameters, or without them a recipe.
template <class O, class Options>
void construct(O* self, const Parameters& parameters, const Options& options) {
  if (parameters)
    new (self) O(*parameters, options);
  else
    new (self) O(options);
}

void bind_base(nb::module_& m) {
  nb::class_<optim::Optimizer>(m, "Optimizer")
      .def(
          "step",
          [](optim::Optimizer& optimizer, const std::optional<Tensor>& unscale) {
            optimizer.step(unscale.value_or(Tensor()));
          },
          "unscale"_a = nb::none(), Unlocked(),
          "One update from the parameters' grad, times unscale (LossScale) if that is given.")
      .def("zero_grad", &optim::Optimizer::zero_grad, "Forgets all gradients.")
      .def_prop_rw("lr", &optim::Optimizer::lr, &optim::Optimizer::set_lr)
      .def_prop_ro("steps", &optim::Optimizer::steps)
      .def_prop_ro("bound", &optim::Optimizer::bound, "False for a recipe.")
      .def(
          "state", [](const optim::Optimizer& optimizer) { return dict_of(optimizer.state()); },
          "What a resumed run needs, by name; shares the optimiser's memory.")
      .def(
          "load_state",
          [](optim::Optimizer& optimizer, nb::dict state) {
            optimizer.load_state(named_of(std::move(state), optimizer.state()));
          },
          "state"_a)
      .def("__repr__", &optim::Optimizer::describe);
}

void bind_algorithms(nb::module_& m) {
  using namespace optim;
  nb::class_<SGD, Optimizer>(m, "SGD", "v = momentum v + g; p -= lr v.")
      .def(
          "__init__",
          [](SGD* self, const Parameters& p, double lr, double momentum, bool nesterov, double weight_decay) {
            construct(self, p, SGDOptions{lr, momentum, nesterov, weight_decay});
          },
          "parameters"_a = nb::none(), nb::kw_only(), "lr"_a = 0.01, "momentum"_a = 0.0, "nesterov"_a = false,
          "weight_decay"_a = 0.0);
  nb::class_<RMSprop, Optimizer>(m, "RMSprop")
      .def(
          "__init__",
          [](RMSprop* self, const Parameters& p, double lr, double alpha, double epsilon, double momentum,
             double weight_decay) {
            construct(self, p, RMSpropOptions{lr, alpha, epsilon, momentum, weight_decay});
          },
          "parameters"_a = nb::none(), nb::kw_only(), "lr"_a = 0.01, "alpha"_a = 0.99, "epsilon"_a = 1e-8,
          "momentum"_a = 0.0, "weight_decay"_a = 0.0);
  nb::class_<Adam, Optimizer>(m, "Adam").def(
      "__init__",
      [](Adam* self, const Parameters& p, double lr, double beta1, double beta2, double epsilon,
         double weight_decay) {
        construct(self, p, AdamOptions{lr, beta1, beta2, epsilon, weight_decay});
      },
      "parameters"_a = nb::none(), nb::kw_only(), "lr"_a = 1e-3, "beta1"_a = 0.9, "beta2"_a = 0.999,
      "epsilon"_a = 1e-8, "weight_decay"_a = 0.0);
  nb::class_<AdamW, Adam>(m, "AdamW", "Adam with a decay of its own: p -= lr * weight_decay * p.")
      .def(
          "__init__",
          [](AdamW* self, const Parameters& p, double lr, double beta1, double beta2, double epsilon,
             double weight_decay) {
            construct(self, p, AdamWOptions{lr, beta1, beta2, epsilon, weight_decay});
          },
          "parameters"_a = nb::none(), nb::kw_only(), "lr"_a = 1e-3, "beta1"_a = 0.9, "beta2"_a = 0.999,
          "epsilon"_a = 1e-8, "weight_decay"_a = 0.01);
}

void bind_helpers(nb::module_& m) {
  nb::class_<optim::AveragedWeights>(m, "AveragedWeights", "Exponential moving average of weights.")
      .def(nb::init<const Tensors&, double>(), "parameters"_a, "decay"_a)
      .def("update", &optim::AveragedWeights::update)
      .def("swap", &optim::AveragedWeights::swap, "Exchanges weights and averages, in place.")
      .def_prop_ro("averages", &optim::AveragedWeights::averages);
  nb::class_<optim::LossScale>(m, "LossScale", "A factor of the loss for training in float16.")
      .def(
          "__init__",
          [](optim::LossScale* self, nb::handle device, double start, int64_t interval) {
            const Device where = device.is_none() ? Device::cpu() : device_of(device);
            new (self) optim::LossScale(where, {.start = start, .interval = interval});
          },
          "device"_a = nb::none(), nb::kw_only(), "start"_a = 65536.0, "interval"_a = 2000)
      .def_prop_ro("factor", &optim::LossScale::factor, "What backward() takes as the gradient of the loss.")
      .def_prop_ro("unscale", &optim::LossScale::unscale,
                   "What step() and clip_grad_norm() take: 1 / factor, or 0 for a step to skip.")
      .def("update", &optim::LossScale::update, "parameters"_a, Unlocked(),
           "Looks at the gradients, and moves the factor.")
      .def_prop_ro("skipped", &optim::LossScale::skipped, "Steps whose gradients overflowed.");
  m.def(
      "clip_grad_norm",
      [](const Tensors& parameters, double max_norm, const std::optional<Tensor>& unscale) {
        return optim::clip_grad_norm(parameters, max_norm, unscale.value_or(Tensor()));
      },
      "parameters"_a, "max_norm"_a, "unscale"_a = nb::none(), Unlocked(),
      "Scales all gradients so that their common norm is at most max_norm; returns the norm before.");
  m.def("clip_grad_value", optim::clip_grad_value, "parameters"_a, "limit"_a, Unlocked());
}

// ---- Schedules --------------------------------------------------------------------------------------------

/// f(lr, step, total) as a schedule.
class PythonSchedule : public optim::Schedule {
 public:
  explicit PythonSchedule(nb::object function) : function_(std::move(function)) {}
  ~PythonSchedule() override {
    const nb::gil_scoped_acquire locked;
    function_.reset();
  }
  PythonSchedule(const PythonSchedule&) = delete;
  PythonSchedule& operator=(const PythonSchedule&) = delete;

  double rate(double lr, int64_t step, int64_t total) const override {
    const nb::gil_scoped_acquire locked;
    return nb::cast<double>(function_(lr, step, total));
  }
  std::string describe() const override { return "a function in Python"; }

 private:
  nb::object function_;
};

void bind_schedules(nb::module_& m) {
  nb::class_<optim::Schedule>(m, "Schedule")
      .def("rate", &optim::Schedule::rate, "lr"_a, "step"_a, "total"_a,
           "Rate of step `step` (from 0) of `total`.")
      .def("__repr__", &optim::Schedule::describe);
  m.def("constant", optim::constant);
  m.def("step_decay", optim::step_decay, "milestones"_a, "factor"_a = 0.1,
        "lr * factor^(milestones passed); milestones are fractions of the run.");
  m.def("exponential", optim::exponential, "last"_a = 0.01);
  m.def("cosine", optim::cosine, "last"_a = 0.0);
  m.def(
      "one_cycle",
      [](double warm_up, double first, double last) {
        return optim::one_cycle({.warm_up = warm_up, .first = first, .last = last});
      },
      "warm_up"_a = 0.3, "first"_a = 1.0 / 25, "last"_a = 1.0 / 25e4, "Cosine up to lr, then cosine down.");
  m.def("warm_up", optim::warm_up, "steps"_a, "then"_a.none() = nb::none());
  m.def("reduce_on_plateau", optim::reduce_on_plateau, "patience"_a = 3, "factor"_a = 0.1,
        "Holds what it learned: one run, one schedule.");
}

}  // namespace

optim::SchedulePtr schedule_of(nb::handle schedule) {
  if (schedule.is_none()) return nullptr;
  if (nb::isinstance<optim::Schedule>(schedule)) return nb::cast<optim::SchedulePtr>(schedule);
  require(PyCallable_Check(schedule.ptr()) != 0,
          "fit: schedule must be one of uncial.optim, or a function f(lr, step, total).");
  return std::make_shared<PythonSchedule>(nb::borrow(schedule));
}

void bind_optim(nb::module_& m) {
  nb::module_ room = m.def_submodule("optim", "Optimisers and schedules.");
  bind_base(room);
  bind_algorithms(room);
  bind_helpers(room);
  bind_schedules(room);
}

}  // namespace uncial::python
