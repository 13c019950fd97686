#pragma once
/// @file summary.h
/// What a network is made of and what it costs.

#include <string>
#include <vector>

#include "uncial/nn/module.h"

namespace uncial::nn {

/// One module that computes something.
struct SummaryRow {
  std::string path;  ///< "0.body.1"; empty for the network itself
  std::string kind;
  Shape output;
  int64_t parameters = 0;     ///< learned values of the module itself, without its children
  int64_t multiply_adds = 0;  ///< half of the FLOPs of its operators
  int64_t bytes = 0;          ///< operands read once and results written once
};

struct Summary {
  std::vector<SummaryRow> rows;  ///< in the order in which they ran
  int64_t parameters = 0;        ///< of the whole net; shared ones count once
  int64_t multiply_adds = 0;
  int64_t bytes = 0;

  /// The rows and their totals as aligned columns.
  std::string table() const;
};

/// Runs `module` once, in evaluation mode, on zeros of shape `input` (first axis: batch) and reports every
/// module that computed something. Costs are of that whole batch.
Summary summary(const Module& module, const Shape& input);

}  // namespace uncial::nn
