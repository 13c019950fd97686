#include "uncial/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "text.h"
#include "uncial/core/error.h"

namespace uncial::optim {
namespace {

/// `step` as a fraction of the run, in [0, 1].
double progress(int64_t step, int64_t total) {
  return total <= 0 ? 1 : std::clamp(double(step) / double(total), 0.0, 1.0);
}

/// From `from` (at = 0) to `to` (at = 1) along half a cosine.
double along_cosine(double from, double to, double at) {
  constexpr double kPi = 3.141592653589793;
  return to + (from - to) * (1 + std::cos(kPi * at)) / 2;
}

void check_fraction(const char* what, const char* name, double value) {
  require(value >= 0 && value <= 1, what, ": ", name, " must be in [0, 1], got ", value, ".");
}

class Constant : public Schedule {
 public:
  double rate(double lr, int64_t, int64_t) const override { return lr; }
  std::string describe() const override { return "constant"; }
};

class StepDecay : public Schedule {
 public:
  StepDecay(std::vector<double> milestones, double factor)
      : milestones_(std::move(milestones)), factor_(factor) {
    for (double m : milestones_) check_fraction("step_decay", "each milestone", m);
    require(std::isfinite(factor) && factor >= 0, "step_decay: factor must be finite and >= 0, got ", factor,
            ".");
  }
  double rate(double lr, int64_t step, int64_t total) const override {
    for (double m : milestones_)
      if (double(step) >= m * double(total)) lr *= factor_;
    return lr;
  }
  std::string describe() const override {
    std::string text = describe_options("step_decay", {{"factor", factor_}});
    for (double m : milestones_) text = describe_options(text, {{"milestone", m}});
    return text;
  }

 private:
  std::vector<double> milestones_;
  double factor_;
};

class Exponential : public Schedule {
 public:
  explicit Exponential(double last) : last_(last) {
    require(std::isfinite(last) && last > 0, "exponential: last must be finite and > 0, got ", last, ".");
  }
  double rate(double lr, int64_t step, int64_t total) const override {
    return lr * std::pow(last_, progress(step, total));
  }
  std::string describe() const override { return describe_options("exponential", {{"last", last_}}); }

 private:
  double last_;
};

class Cosine : public Schedule {
 public:
  explicit Cosine(double last) : last_(last) { check_fraction("cosine", "last", last); }
  double rate(double lr, int64_t step, int64_t total) const override {
    return along_cosine(lr, lr * last_, progress(step, total));
  }
  std::string describe() const override { return describe_options("cosine", {{"last", last_}}); }

 private:
  double last_;
};

class OneCycle : public Schedule {
 public:
  explicit OneCycle(OneCycleOptions options) : options_(options) {
    check_fraction("one_cycle", "warm_up", options.warm_up);
    check_fraction("one_cycle", "first", options.first);
    check_fraction("one_cycle", "last", options.last);
  }
  double rate(double lr, int64_t step, int64_t total) const override {
    const double peak = options_.warm_up * double(total) - 1, end = double(total - 1);
    const double at = std::min(double(step), end);
    if (at < peak) return along_cosine(lr * options_.first, lr, at / peak);
    const double turn = std::max(peak, 0.0);
    return along_cosine(lr, lr * options_.last, end > turn ? (at - turn) / (end - turn) : 0);
  }
  std::string describe() const override {
    return describe_options(
        "one_cycle", {{"warm_up", options_.warm_up}, {"first", options_.first}, {"last", options_.last}});
  }

 private:
  OneCycleOptions options_;
};

class WarmUp : public Schedule {
 public:
  WarmUp(int64_t steps, SchedulePtr then) : steps_(steps), then_(then ? std::move(then) : constant()) {
    require(steps >= 0, "warm_up: steps must be >= 0, got ", steps, ".");
  }
  double rate(double lr, int64_t step, int64_t total) const override {
    const double rate =
        then_->rate(lr, std::max<int64_t>(0, step - steps_), std::max<int64_t>(0, total - steps_));
    return step < steps_ ? rate * double(step + 1) / double(steps_ + 1) : rate;
  }
  void on_validation(double loss) override { then_->on_validation(loss); }
  std::vector<double> state() const override { return then_->state(); }
  void load_state(const std::vector<double>& state) override { then_->load_state(state); }
  std::string describe() const override {
    return describe_options("warm_up", {{"steps", double(steps_)}}) + ", then " + then_->describe();
  }

 private:
  int64_t steps_;
  SchedulePtr then_;
};

class ReduceOnPlateau : public Schedule {
 public:
  ReduceOnPlateau(int patience, double factor) : patience_(patience), factor_(factor) {
    require(patience >= 1, "reduce_on_plateau: patience must be >= 1, got ", patience, ".");
    check_fraction("reduce_on_plateau", "factor", factor);
  }
  double rate(double lr, int64_t, int64_t) const override { return lr * scale_; }
  void on_validation(double loss) override {
    if (loss < best_) {
      best_ = loss;
      bad_epochs_ = 0;
    } else if (++bad_epochs_ == patience_) {
      scale_ *= factor_;
      bad_epochs_ = 0;
    }
  }
  std::vector<double> state() const override { return {best_, double(bad_epochs_), scale_}; }
  void load_state(const std::vector<double>& state) override {
    if (state.size() != 3 || !(state[1] >= 0 && state[1] < patience_) || !(state[2] >= 0 && state[2] <= 1))
      fail(ErrorKind::data, "state of schedule reduce_on_plateau: got ", state.size(),
           " numbers, expected lowest loss, epochs since in [0, ", patience_, ") and scale in [0, 1].");
    best_ = state[0];
    bad_epochs_ = int(state[1]);
    scale_ = state[2];
  }
  std::string describe() const override {
    return describe_options("reduce_on_plateau", {{"patience", patience_}, {"factor", factor_}});
  }

 private:
  int patience_;
  double factor_;
  double best_ = std::numeric_limits<double>::infinity();
  int bad_epochs_ = 0;
  double scale_ = 1;
};

}  // namespace

void Schedule::load_state(const std::vector<double>& state) {
  if (!state.empty())
    fail(ErrorKind::data, "state of schedule ", describe(), ": got ", state.size(),
         " numbers, expected none.");
}

SchedulePtr constant() { return std::make_shared<Constant>(); }
SchedulePtr step_decay(std::vector<double> milestones, double factor) {
  return std::make_shared<StepDecay>(std::move(milestones), factor);
}
SchedulePtr exponential(double last) { return std::make_shared<Exponential>(last); }
SchedulePtr cosine(double last) { return std::make_shared<Cosine>(last); }
SchedulePtr one_cycle(OneCycleOptions options) { return std::make_shared<OneCycle>(options); }
SchedulePtr warm_up(int64_t steps, SchedulePtr then) {
  return std::make_shared<WarmUp>(steps, std::move(then));
}
SchedulePtr reduce_on_plateau(int patience, double factor) {
  return std::make_shared<ReduceOnPlateau>(patience, factor);
}

}  // namespace uncial::optim
