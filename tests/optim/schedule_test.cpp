#include "uncial/optim/schedule.h"

#include <cmath>

#include "support/catch.h"
#include "support/errors.h"

using namespace uncial;
using test::check_error;

namespace {

constexpr double kPi = 3.141592653589793;
constexpr double kRate = 0.2;
constexpr int64_t kTotal = 200;

template <class F>
void check_rates(const optim::SchedulePtr& schedule, F expected) {
  INFO(schedule->describe());
  for (int64_t step = 0; step < kTotal; ++step)
    CHECK(schedule->rate(kRate, step, kTotal) == Approx(expected(double(step))).epsilon(1e-12));
}

template <class F>
void check_usage(F call, std::string_view part) {
  check_error(ErrorKind::usage, call, part);
}

}  // namespace

TEST_CASE("schedule: constant, steps, exponential, cosine") {
  check_rates(optim::constant(), [](double) { return kRate; });
  check_rates(optim::step_decay({0.5, 0.75}), [](double s) {
    return s >= 150 ? kRate * 0.01 : s >= 100 ? kRate * 0.1 : kRate;
  });
  check_rates(optim::exponential(0.01), [](double s) { return kRate * std::exp(s / 200 * std::log(0.01)); });
  check_rates(optim::cosine(0.1),
              [](double s) { return kRate * (0.1 + 0.9 * (1 + std::cos(kPi * s / 200)) / 2); });
  CHECK(optim::cosine()->rate(1, 500, 200) == Approx(0).margin(1e-15));  // beyond the end
}

TEST_CASE("schedule: one cycle turns and ends where PyTorch's does") {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=0.2, total_steps=200): phases end at steps 59 and 199.
  check_rates(optim::one_cycle(), [](double s) {
    const double first = kRate / 25, last = kRate / 25e4;
    const auto cosine = [](double from, double to, double at) {
      return to + (from - to) / 2 * (1 + std::cos(kPi * at));
    };
    return s <= 59 ? cosine(first, kRate, s / 59) : cosine(kRate, last, (s - 59) / 140);
  });
  CHECK(optim::one_cycle()->rate(1, 0, 200) == Approx(0.04));
  CHECK(optim::one_cycle()->rate(1, 59, 200) == Approx(1));
  CHECK(optim::one_cycle()->rate(1, 199, 200) == Approx(1 / 25e4));
  CHECK(optim::one_cycle()->rate(1, 300, 200) == Approx(1 / 25e4));
  for (int64_t total : {1, 2, 3})
    for (int64_t step = 0; step < total; ++step) {
      const double rate = optim::one_cycle()->rate(1, step, total);
      CHECK(std::isfinite(rate));
      CHECK(rate > 0);
      CHECK(rate <= 1);
    }
  CHECK(optim::one_cycle({.warm_up = 0})->rate(1, 0, 10) == Approx(1));
}

TEST_CASE("schedule: warm-up, then another one from its beginning") {
  check_rates(optim::warm_up(9), [](double s) { return kRate * std::min(1.0, (s + 1) / 10); });
  check_rates(optim::warm_up(20, optim::cosine()), [](double s) {
    return s < 20 ? kRate * (s + 1) / 21 : kRate * (1 + std::cos(kPi * (s - 20) / 180)) / 2;
  });
}

TEST_CASE("schedule: the rate falls when the loss does not") {
  const auto schedule = optim::reduce_on_plateau(2, 0.5);
  const auto rate_after = [&](double loss) {
    schedule->on_validation(loss);
    return schedule->rate(1, 0, 1);
  };
  CHECK(rate_after(1.0) == 1);
  CHECK(rate_after(0.9) == 1);
  CHECK(rate_after(0.95) == 1);
  CHECK(rate_after(0.9) == 0.5);  // two epochs without a new low
  CHECK(rate_after(NAN) == 0.5);
  CHECK(rate_after(0.8) == 0.5);
  CHECK(rate_after(0.81) == 0.5);

  const auto resumed = optim::warm_up(3, optim::reduce_on_plateau(2, 0.5));
  resumed->load_state(schedule->state());
  CHECK(resumed->rate(1, 5, 9) == 0.5);
  resumed->on_validation(0.82);
  CHECK(resumed->rate(1, 5, 9) == 0.25);
}

TEST_CASE("schedule: wrong options and states") {
  check_usage([] { optim::step_decay({1.5}); }, "milestone");
  check_usage([] { optim::exponential(0); }, "last");
  check_usage([] { optim::cosine(-1); }, "last");
  check_usage([] { optim::one_cycle({.warm_up = 2}); }, "warm_up");
  check_usage([] { optim::warm_up(-1); }, "steps");
  check_usage([] { optim::reduce_on_plateau(0); }, "patience");
  check_error(
      ErrorKind::data, [] { optim::constant()->load_state({1}); }, "constant", "expected none");
  check_error(
      ErrorKind::data,
      [] {
        optim::reduce_on_plateau()->load_state({1, 7, 1});
      },
      "reduce_on_plateau");
  check_error(
      ErrorKind::data, [] { optim::reduce_on_plateau()->load_state({}); }, "reduce_on_plateau");
}

TEST_CASE("schedule: descriptions") {
  CHECK(optim::warm_up(5, optim::one_cycle())->describe() ==
        "warm_up steps=5, then one_cycle warm_up=0.3 first=0.04 last=4e-06");
  CHECK(optim::step_decay({0.5, 0.75})->describe() == "step_decay factor=0.1 milestone=0.5 milestone=0.75");
}
