#include <nlohmann/json.hpp>

#include "train/number_text.h"
#include "uncial/core/error.h"
#include "uncial/train/evaluate.h"

namespace uncial::train {

std::string Report::line() const {
  const auto percent = [](double share) { return fixed_decimals(100 * share, 2); };
  return join("test accuracy ", percent(accuracy), " % (95 % interval ", percent(accuracy_low), "-",
              percent(accuracy_high), "), loss ", fixed_decimals(loss, 4), ", ", errors, " errors in ",
              samples);
}

std::string Report::json() const {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  if (confusion.defined()) {
    const int64_t n = confusion.size(0);
    const int64_t* counts = confusion.data<int64_t>();
    for (int64_t i = 0; i < n; ++i)
      rows.push_back(std::vector<int64_t>(counts + i * n, counts + (i + 1) * n));
  }
  Json per_class = Json::array();
  for (const ClassReport& c : classes)
    per_class.push_back({{"name", c.name},
                         {"count", c.count},
                         {"precision", c.precision},
                         {"recall", c.recall},
                         {"f1", c.f1}});
  const Json whole = {{"samples", samples},
                      {"errors", errors},
                      {"loss", loss},
                      {"accuracy", accuracy},
                      {"accuracy_low", accuracy_low},
                      {"accuracy_high", accuracy_high},
                      {"top_k_accuracy", top_k_accuracy},
                      {"calibration_error", calibration_error},
                      {"confusion", std::move(rows)},
                      {"classes", std::move(per_class)}};
  return whole.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace uncial::train
