#pragma once
/// What fit() needs of the room optim.

#include "binding.h"
#include "uncial/optim/schedule.h"

namespace uncial::python {

/// None, a schedule, or a function f(lr, step, total).
optim::SchedulePtr schedule_of(nb::handle schedule);

}  // namespace uncial::python
