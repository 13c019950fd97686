#pragma once
/// The parts of the room train.

#include "binding.h"
#include "uncial/data/dataset.h"
#include "uncial/train/evaluate.h"

namespace uncial::python {

/// A report, and the right answers beside it.
struct LabelledReport {
  train::Report report;
  std::vector<int64_t> labels;
};

// In this order: a class has to be known before another one shows it.
void bind_record(nb::module_& m);
void bind_history(nb::module_& m);
void bind_callbacks(nb::module_& m);
void bind_fit(nb::module_& m);

}  // namespace uncial::python
